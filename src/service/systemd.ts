import { EXIT } from "@psn/core/errors.ts";
import { oneLine, RESTART_SECONDS, STOP_SECONDS, type WorkerService } from "./worker-service.ts";

/*
 * A user unit (systemd.service(5), systemd.exec(5)). Nothing in it needs root: what only the system's own manager may
 * do, such as dropping capabilities, is left out. A just-in-time compiler needs memory that is written and then run, so
 * MemoryDenyWriteExecute is left out too.
 */

/** Folders of keys that are not psn's, and that a worker never needs. */
const SECRET_FOLDERS = [".ssh", ".gnupg", ".aws", ".azure", ".kube", ".docker", ".password-store", ".config/gcloud"];

/**
 * What needs a user namespace of its own. Some systems allow none to an ordinary user, and there a unit that asks for
 * one does not start.
 */
export const SANDBOX: readonly string[] = [
  "PrivateUsers=yes",
  "PrivateTmp=yes",
  "PrivateDevices=yes",
  "ProtectSystem=strict",
  "ProtectHome=read-only",
  "ProtectControlGroups=yes",
  "ProtectKernelTunables=yes",
];

const CONFINED = [
  "NoNewPrivileges=yes",
  "LockPersonality=yes",
  "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK",
  "RestrictNamespaces=yes",
  "RestrictRealtime=yes",
  "RestrictSUIDSGID=yes",
  "SystemCallArchitectures=native",
  // Of what no program needs that sends posts (systemd.exec(5)); it fails, and the worker goes on.
  "SystemCallFilter=~@clock @cpu-emulation @debug @module @mount @obsolete @raw-io @reboot @swap",
  "SystemCallErrorNumber=EPERM",
];

/** The text of the unit. `sandboxed`: whether this system lets an ordinary user have what SANDBOX asks for. */
export function systemdUnit(service: WorkerService, { sandboxed = true } = {}): string {
  const { name, hub, command, writes, environment } = service;
  const variables = Object.entries({ TMPDIR: `%t/${name}`, ...environment }).map(
    ([variable, value]) => `Environment=${quoted(`${variable}=${variable === "TMPDIR" ? value : escaped(value)}`)}`,
  );
  const sandbox = [
    ...SANDBOX,
    ...writes.map((folder) => `ReadWritePaths=${quoted(`-${escaped(folder)}`)}`),
    `InaccessiblePaths=${SECRET_FOLDERS.map((folder) => `-%h/${folder}`).join(" ")}`,
  ];
  return `${[
    `# Written by psn service install, which writes it again. Your own settings: systemctl --user edit ${name}`,
    "[Unit]",
    `Description=psn worker of ${escaped(hub)}`,
    "StartLimitIntervalSec=0",
    "",
    "[Service]",
    "Type=exec",
    `ExecStart=${command.map((word) => quoted(escaped(word).replaceAll("$", "$$$$"))).join(" ")}`,
    // The worker finishes its requests and is started again, with every setting read again.
    "ExecReload=/bin/kill -HUP $MAINPID",
    `WorkingDirectory=${escaped(hub)}`,
    "Restart=always",
    `RestartSec=${RESTART_SECONDS}`,
    "# What only a person can change, such as a wrong setting: starting again would change nothing.",
    `RestartPreventExitStatus=${EXIT.usage} ${EXIT.setup}`,
    "KillMode=mixed",
    `TimeoutStopSec=${STOP_SECONDS}`,
    "",
    "# The socket of an embedded database lies here, where other commands see it; /tmp is the worker's own.",
    `RuntimeDirectory=${name}`,
    "RuntimeDirectoryMode=0700",
    ...variables,
    "",
    ...CONFINED,
    ...(sandboxed ? sandbox : ["# This system lets no ordinary user hide files from a service: the rest is left out."]),
    "",
    "[Install]",
    "WantedBy=default.target",
  ].join("\n")}\n`;
}

/** With systemd's own signs taken as they are. */
const escaped = (value: string): string => oneLine(value).replaceAll("%", "%%");

const quoted = (value: string): string => `"${value.replaceAll(/["\\]/g, String.raw`\$&`)}"`;
