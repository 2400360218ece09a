// The list of all subcommands. Loaded only where the arguments name one: their code would take memory in
// every node.

import { addApi } from './commands/api.ts';
import { addBackup, addRestore } from './commands/backup.ts';
import { addBans } from './commands/bans.ts';
import { addBench } from './commands/bench.ts';
import { addBridges } from './commands/bridges.ts';
import { addCheck } from './commands/check.ts';
import { addClient, addClients, addKick } from './commands/clients.ts';
import { addCompletion } from './commands/completion.ts';
import { addConfigShow } from './commands/config-show.ts';
import { addConvert } from './commands/convert.ts';
import { addDashboard } from './commands/dashboard.ts';
import { addDoctor } from './commands/doctor.ts';
import { addExplain } from './commands/explain.ts';
import { addForget, addLeave } from './commands/forget.ts';
import { addHealth } from './commands/health.ts';
import { addInvite, addJoin } from './commands/invite.ts';
import { addNames } from './commands/names.ts';
import { addPasswd } from './commands/passwd.ts';
import { addPing } from './commands/ping.ts';
import { addPub } from './commands/pub.ts';
import { addRetained } from './commands/retained.ts';
import { addRr } from './commands/rr.ts';
import { addService } from './commands/service.ts';
import { addStatus } from './commands/status.ts';
import { addSub } from './commands/sub.ts';
import { addToken } from './commands/token.ts';
import { addTop } from './commands/top.ts';
import { addTrace, addWatch } from './commands/watch.ts';
import type { AddCommand } from './program.ts';

export const subcommands: readonly AddCommand[] = [
  addApi,
  addCheck,
  addDashboard,
  addDoctor,
  addPing,
  addConfigShow,
  addPasswd,
  addExplain,
  addConvert,
  addPub,
  addSub,
  addRr,
  addBench,
  addStatus,
  addBans,
  addBridges,
  addService,
  addHealth,
  addTop,
  addWatch,
  addTrace,
  addClients,
  addClient,
  addKick,
  addForget,
  addLeave,
  addRetained,
  addBackup,
  addRestore,
  addToken,
  addInvite,
  addJoin,
  addCompletion,
  addNames,
];
