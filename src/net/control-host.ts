// The facts of this machine on which the place of the control socket depends.

import { tmpdir } from 'node:os';
import type { ControlHost } from '../shared/control-path.ts';

export function controlHost(): ControlHost {
  return {
    platform: process.platform,
    userId: process.getuid?.(),
    temporaryFolder: tmpdir(),
    environment: process.env,
  };
}
