/** The primary's part of a server with workers: compose.ts alone uses it. */
import type { IncomingMessage, RequestListener } from 'node:http';
import { fileURLToPath } from 'node:url';
import type { Config } from './config/config.ts';
import { shortPathOf } from './config/private-socket.ts';
import { receiveDirectClient } from './http/direct-client.ts';
import { createMemoryRateLimiter } from './http/memory-rate-limiter.ts';
import type { Upgrades } from './http/server.ts';
import type { Logger } from './observability/logger.ts';
import { describe } from './oci/errors.ts';
import type { CommandWriter } from './ports/commands.ts';
import { Desk } from './workers/desk.ts';
import { Supervisor } from './workers/supervisor.ts';

export interface Workers {
  readonly desk: Desk;
  readonly supervisor: Supervisor;
  /** Where this process listens for what workers pass on. */
  readonly socketPath: string;
}

/** Starts none yet: `supervisor.start` does. */
export function openWorkers(deps: {
  config: Config;
  writer: CommandWriter;
  logger: Logger;
  discarded: () => void;
  pushed: () => void;
}): Workers {
  const { config, logger } = deps;
  const desk = new Desk({
    ...{ ...deps, limiters: createMemoryRateLimiter },
    failed: (command, error) =>
      logger.error('a command of a worker failed', { command, cause: describe(error) }),
  });
  const socketPath = shortPathOf(config.data, 'primary.sock');
  const program = fileURLToPath(new URL('./worker.ts', import.meta.url));
  const supervisor = new Supervisor({
    ...{ count: config.workers, program, config, desk, logger, socketPath },
  });
  return { desk, supervisor, socketPath };
}

/** Requests as they came to a worker. */
export function fromWorkers(listener: RequestListener): RequestListener {
  return (req, res) => {
    receiveDirectClient(req);
    listener(req, res);
  };
}

export function upgradesFromWorkers(upgrades: Upgrades): Upgrades {
  return {
    takes(req: IncomingMessage) {
      receiveDirectClient(req);
      return upgrades.takes(req);
    },
    upgrade: (req, socket, head) => upgrades.upgrade(req, socket, head),
  };
}
