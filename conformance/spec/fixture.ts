import { randomBytes } from 'node:crypto';
import { after, before } from 'node:test';
import { basic, Registry } from './client.ts';
import { fresh } from './content.ts';
import { type GantryServer, type ServerOptions, sharedServer, startServer } from './server.ts';

export interface Fixture {
  readonly server: GantryServer;
  /** Signed in with the token of the first start. */
  readonly registry: Registry;
  /** `team/project/repository`, a name that has not been used. */
  repository(prefix?: string): string;
}

export interface FixtureOptions extends ServerOptions {
  /** It ends its server, or looks at all that is in its folder: no other file's tests may use it meanwhile. */
  readonly own?: boolean;
  /** Runs once the server is ready, before the tests: several root hooks of a file do not wait for each other. */
  readonly prepare?: (fixture: Fixture) => Promise<void>;
}

/**
 * A server for the tests of one file: started before them, ended (with exit code 0) after them. Where the suite has
 * started one for all its files, it is that one, unless the file asks for settings or for one of its own.
 */
export function useServer(options: FixtureOptions = {}): Fixture {
  const shared = options.env || options.own ? undefined : sharedServer();
  // Other files count from one as well.
  const suffix = shared ? `-${randomBytes(4).toString('hex')}` : '';
  let server: GantryServer | undefined;
  let registry: Registry | undefined;
  before(async () => {
    server = shared ?? (await startServer(options));
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
      return `${teamSlug}/${projectSlug}/${fresh(prefix)}${suffix}`;
    },
  };
  return fixture;
}
