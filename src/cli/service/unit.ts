// The unit file of a node for systemd: readiness, watchdog, limits and hardening. Pure: a description in,
// text out. The page docs/cli.md shows the same unit. Sources: systemd.unit(5), systemd.service(5),
// systemd.exec(5).

export interface UnitOptions {
  /** Of the service, its state folder and its entries in the journal. */
  readonly name: string;
  readonly user: string;
  /** Absolute path of Node; undefined if the program contains it. */
  readonly node: string | undefined;
  /** Absolute path. */
  readonly program: string;
  /** Flags of the node, as `-port=1883`. */
  readonly flags: readonly string[];
  /** Folder of -data if it is not the state folder; the service may write it. */
  readonly ownFolder: string | undefined;
  /** File descriptors. */
  readonly descriptors: number;
  /** As systemd takes it: `80%` or `512M`. */
  readonly memoryMax: string;
  /** A listener has a port below 1024. */
  readonly hasLowPort: boolean;
}

export function unitText(options: UnitOptions): string {
  const { name, user, node, program, flags, ownFolder, descriptors, memoryMax } = options;
  const start = node === undefined ? [program] : [node, program];
  const command = (...words: readonly string[]): string =>
    [...start, ...words].map(quoted).join(' ');
  const capability = options.hasLowPort ? 'CAP_NET_BIND_SERVICE' : '';
  const lines = [
    '[Unit]',
    'Description=Shoal MQTT broker',
    'Wants=network-online.target',
    'After=network-online.target',
    '',
    '[Service]',
    'Type=notify',
    'NotifyAccess=all',
    `User=${user}`,
    `Group=${user}`,
    `ExecStart=${command(...flags)}`,
    `ExecReload=${command('check', ...flags)}`,
    'ExecReload=/bin/kill -HUP $MAINPID',
    'Restart=on-failure',
    'RestartSec=2',
    'RestartPreventExitStatus=2 4',
    'WatchdogSec=30',
    'TimeoutStopSec=15',
    `SyslogIdentifier=${name}`,
    `StateDirectory=${name}`,
    'StateDirectoryMode=0750',
    `RuntimeDirectory=${name}`,
    'RuntimeDirectoryMode=0700',
    `LimitNOFILE=${descriptors}`,
    'LimitCORE=0',
    `MemoryMax=${memoryMax}`,
    '',
    'NoNewPrivileges=true',
    `CapabilityBoundingSet=${capability}`,
    ...(options.hasLowPort ? [`AmbientCapabilities=${capability}`] : []),
    'ProtectSystem=strict',
    ...(ownFolder === undefined ? [] : [`ReadWritePaths=${quoted(ownFolder)}`]),
    'ProtectHome=true',
    'PrivateTmp=true',
    'PrivateDevices=true',
    'ProtectClock=true',
    'ProtectControlGroups=true',
    'ProtectKernelLogs=true',
    'ProtectKernelModules=true',
    'ProtectKernelTunables=true',
    'RestrictAddressFamilies=AF_INET AF_INET6 AF_NETLINK AF_UNIX',
    'RestrictNamespaces=true',
    'RestrictRealtime=true',
    'RestrictSUIDSGID=true',
    'LockPersonality=true',
    'SystemCallArchitectures=native',
    '',
    '[Install]',
    'WantedBy=multi-user.target',
  ];
  return `${lines.join('\n')}\n`;
}

/** A word of a command line: systemd expands `%` and `$`, and splits at spaces. */
function quoted(word: string): string {
  const escaped = word
    .replaceAll('\\', '\\\\')
    .replaceAll('"', '\\"')
    .replaceAll('%', '%%')
    .replaceAll('$', '$$$$');
  return /^[\w./:=@,+%-]+$/.test(word) ? escaped : `"${escaped}"`;
}
