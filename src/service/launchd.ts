import { oneLine, RESTART_SECONDS, STOP_SECONDS, type WorkerService } from "./worker-service.ts";

/** An agent of the user who is logged in (launchd.plist(5)). `log`: the file that gets what the worker writes. */
export function launchdAgent({ name, hub, command, environment }: WorkerService, log: string): string {
  const values = {
    Label: name,
    ProgramArguments: command,
    WorkingDirectory: hub,
    EnvironmentVariables: environment,
    RunAtLoad: true,
    KeepAlive: true,
    ThrottleInterval: RESTART_SECONDS,
    ExitTimeOut: STOP_SECONDS,
    ProcessType: "Background",
    StandardOutPath: log,
    StandardErrorPath: log,
  };
  return `${[
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">',
    "<!-- Written by psn service install, which writes it again. -->",
    '<plist version="1.0">',
    ...element(values, ""),
    "</plist>",
  ].join("\n")}\n`;
}

type Value = string | number | boolean | readonly string[] | { readonly [key: string]: Value };

function element(value: Value, indent: string): string[] {
  if (typeof value === "boolean") return [`${indent}<${value}/>`];
  if (typeof value === "number") return [`${indent}<integer>${value}</integer>`];
  if (typeof value === "string") return [`${indent}<string>${text(value)}</string>`];
  const inner = `${indent}  `;
  if (Array.isArray(value))
    return [`${indent}<array>`, ...value.flatMap((one) => element(one, inner)), `${indent}</array>`];
  const entries = Object.entries(value).flatMap(([key, one]) => [
    `${inner}<key>${text(key)}</key>`,
    ...element(one, inner),
  ]);
  return [`${indent}<dict>`, ...entries, `${indent}</dict>`];
}

const text = (value: string): string =>
  oneLine(value).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
