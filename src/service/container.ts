import { oneLine, STOP_SECONDS } from "./worker-service.ts";

/* psn in a container, for those who prefer one: the worker, and every other command by `compose run`. */

/** The Bun that psn is tested with; the engine of package.json allows newer ones. */
const BUN_IMAGE = "docker.io/oven/bun:1.4-slim";

export function containerfile(version: string): string {
  return `${[
    "# Printed by psn service print containerfile.",
    `FROM ${BUN_IMAGE}`,
    "# As root, so that the program cannot change itself; it runs as another user.",
    `RUN BUN_INSTALL=/usr/local bun add --global psn@${version}`,
    "USER bun",
    "ENV PSN_HUB=/hub XDG_STATE_HOME=/hub/.state",
    "WORKDIR /hub",
    "VOLUME /hub",
    "STOPSIGNAL SIGTERM",
    'ENTRYPOINT ["psn"]',
    'CMD ["worker"]',
  ].join("\n")}\n`;
}

export interface ContainerServiceOptions {
  readonly name: string;
  readonly hub: string;
  /** Who owns the hub's folder, as `uid:gid`. */
  readonly owner: string;
}

/** A compose file beside the Containerfile. The hub's settings stay in its config/hub.env: no secret is in here. */
export function containerService({ name, hub, owner }: ContainerServiceOptions): string {
  return `${[
    "# Printed by psn service print compose. Other commands: docker compose run --rm worker queue",
    `name: ${name}`,
    "services:",
    "  worker:",
    "    build:",
    "      context: .",
    "      dockerfile: Containerfile",
    '    command: ["worker", "--log-level", "notice"]',
    "    init: true",
    "    restart: unless-stopped",
    `    stop_grace_period: ${STOP_SECONDS}s`,
    "    # Who owns the hub's folder.",
    `    user: ${JSON.stringify(owner)}`,
    "    read_only: true",
    "    tmpfs: [/tmp]",
    "    cap_drop: [ALL]",
    '    security_opt: ["no-new-privileges:true"]',
    "    volumes:",
    "      - type: bind",
    `        source: ${JSON.stringify(oneLine(hub).replaceAll("$", "$$$$"))}`,
    "        target: /hub",
  ].join("\n")}\n`;
}
