import { after, before } from 'node:test';
import { basic, Registry } from './client.ts';
import { fresh } from './content.ts';
import { type GantryServer, type ServerOptions, startServer } from './server.ts';

export interface Fixture {
  readonly server: GantryServer;
  /** Signed in with the token of the first start. */
  readonly registry: Registry;
  /** `team/project/repository`, a name that has not been used. */
  repository(prefix?: string): string;
}

export interface FixtureOptions extends ServerOptions {
  /** Runs once the server is ready, before the tests: several root hooks of a file do not wait for each other. */
  readonly prepare?: (fixture: Fixture) => Promise<void>;
}

/** A server for the tests of one file: started before them, ended (with exit code 0) after them. */
export function useServer(options: FixtureOptions = {}): Fixture {
  let server: GantryServer | undefined;
  let registry: Registry | undefined;
  before(async () => {
    server = await startServer(options);
    const { teamId, token } = server.bootstrap;
    registry = new Registry(server.origin, basic(teamId, token));
    await options.prepare?.(fixture);
  });
  after(async () => {
    registry?.close();
    await server?.stop();
  });
  const fixture: Fixture = {
    get server() {
      if (!server) throw new Error('the server is started before the tests, not before that');
      return server;
    },
    get registry() {
      if (!registry) throw new Error('the server is started before the tests, not before that');
      return registry;
    },
    repository(prefix = 'repo') {
      const { teamSlug, projectSlug } = this.server.bootstrap;
      return `${teamSlug}/${projectSlug}/${fresh(prefix)}`;
    },
  };
  return fixture;
}
