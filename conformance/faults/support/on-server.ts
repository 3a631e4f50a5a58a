import { basic, Registry } from '../../spec/client.ts';
import { type Launched, launch, readBootstrap } from './gantry.ts';

export interface Running {
  readonly server: Launched;
  readonly origin: string;
  readonly registry: Registry;
  readonly repository: string;
}

/** Runs `use` with a server on the folder `data`, and ends it where `use` has not. */
export async function onServer(
  data: string,
  use: (running: Running) => Promise<void>,
  env: Readonly<Record<string, string>> = {},
): Promise<void> {
  const server = launch({ data, env });
  let registry: Registry | undefined;
  try {
    const origin = await server.ready;
    const { teamId, teamSlug, projectSlug, token } = readBootstrap(data);
    registry = new Registry(origin, basic(teamId, token));
    await use({ server, origin, registry, repository: `${teamSlug}/${projectSlug}/drain` });
  } finally {
    registry?.close();
    await server.end('SIGKILL');
  }
}
