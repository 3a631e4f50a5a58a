import { existsSync } from 'node:fs';
import type { Config } from '../config/config.ts';
import { RegistryError } from '../oci/errors.ts';
import { Refused } from './refused.ts';
import { connectSocket } from './socket-client.ts';

/** The way to the admin methods: the running server's socket, or the data folder where none runs. */
export interface Connection {
  /** Whether no server is on the other side: what goes on after a call waits for one. */
  readonly offline?: boolean;
  call(method: string, params: unknown): Promise<unknown>;
  close(): Promise<void> | void;
}

export async function openConnection(config: Config): Promise<Connection> {
  if (!existsSync(config.data)) {
    throw new Refused({
      code: 'not-found',
      message: `There is no data folder ${config.data}.`,
      hint: 'Set GANTRY_DATA to the one of your server, or run this where it was started; npm start makes a new one.',
    });
  }
  const client = await connectSocket(config.data);
  if (client) return client;
  // The whole server's modules are read only where they are needed.
  const { openOffline } = await import('../compose.ts');
  const { admin, close } = await openOffline(config);
  return {
    offline: true,
    call: (method, params) => asRefused(admin.handle(method, params)),
    close,
  };
}

async function asRefused(result: Promise<unknown>): Promise<unknown> {
  try {
    return await result;
  } catch (error) {
    throw error instanceof RegistryError ? toRefused(error) : error;
  }
}

export function toRefused(error: RegistryError): Refused {
  const { kind, message, hint = 'npx gantry admin --help' } = error.info;
  // Here the operator looks on, and there is no log that would say more.
  const cause = kind === 'unavailable' ? causeOf(error) : '';
  return cause === ''
    ? new Refused({ code: kind, message, hint }, { cause: error })
    : new Refused(
        { code: kind, message: `${message} ${cause}`, hint: settingsHint },
        { cause: error },
      );
}

const settingsHint =
  'See whether it answers, and whether the settings of it are right (docs/settings.md), then try again.';

function causeOf({ cause }: RegistryError): string {
  if (!(cause instanceof Error)) return '';
  const [first] = cause instanceof AggregateError ? cause.errors : [];
  return cause.message || (first instanceof Error ? first.message : '');
}
