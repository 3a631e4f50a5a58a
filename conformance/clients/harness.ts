/** A Gantry of a test's own: started from the sources, in a data folder of its own, on a free port. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { startEnv } from '../tools/start-env.ts';
import { type Daemon, startDaemon } from './support/daemon.ts';
import { Registry } from './support/registry.ts';
import { must } from './support/run.ts';
import { systemPath } from './support/sandbox.ts';

const root = join(import.meta.dirname, '..', '..');

/** What the first start leaves for whoever started it. */
export interface Bootstrap {
  readonly url: string;
  /** `host:port`. */
  readonly registry: string;
  readonly teamId: string;
  readonly teamSlug: string;
  readonly projectSlug: string;
  readonly token: string;
}

export interface Gantry {
  readonly data: string;
  readonly bootstrap: Bootstrap;
  /** `team/project/<name>` of the project that the first start made. */
  repository(name: string): string;
  /** The registry as the bootstrap token sees it. */
  readonly raw: Registry;
  /** `gantry admin <args>`: its standard output. */
  admin(...args: string[]): Promise<string>;
  /** Last part of the server's log. */
  log(): string;
  /** Drains and ends; fails where the server did not exit 0 by itself. */
  stop(): Promise<void>;
}

export interface GantryOptions {
  /** An empty folder for all that it writes; it stays when the server has ended. */
  readonly folder: string;
  /** Settings beside those of the harness, such as GANTRY_STORAGE. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts a server; in a folder that one has used before, a restart. */
export async function startGantry({ folder, env = {} }: GantryOptions): Promise<Gantry> {
  const data = join(folder, 'data');
  mkdirSync(data, { recursive: true });
  const bootstrapFile = join(data, 'bootstrap.json');
  // Each start writes it anew with the present url: what an earlier one left is not read.
  const earlier = versionOf(bootstrapFile);
  const settings = {
    PATH: systemPath,
    HOME: folder,
    ...startEnv,
    GANTRY_DATA: data,
    GANTRY_HOST: '127.0.0.1',
    GANTRY_PORT: '0',
    // Issuers of these tests are on loopback, which is refused unless the operator allows it (A25).
    GANTRY_OUTBOUND_ALLOW: 'loopback',
    // Many clients fail to log in here, all from one address.
    GANTRY_RATE_LOGIN_FAILURES: '0',
    ...env,
  };
  let bootstrap: Bootstrap | undefined;
  const daemon: Daemon = await startDaemon({
    program: process.execPath,
    args: [join(root, 'src', 'main.ts')],
    env: settings,
    log: join(folder, 'server.log'),
    ready: async () => {
      if (versionOf(bootstrapFile) === earlier) return false;
      bootstrap = readIfWhole(bootstrapFile);
      return bootstrap !== undefined && (await answers(`${bootstrap.url}/readyz`));
    },
  });
  const known = bootstrap!;
  assert.equal(
    statSync(bootstrapFile).mode & 0o777,
    0o600,
    'bootstrap.json is for its owner alone',
  );
  return {
    data,
    bootstrap: known,
    repository: (name) => `${known.teamSlug}/${known.projectSlug}/${name}`,
    raw: new Registry(known.url, { username: known.teamId, password: known.token }),
    admin: (...args) =>
      must(process.execPath, [join(root, 'src', 'cli', 'main.ts'), 'admin', ...args], {
        env: settings,
      }),
    log: () => daemon.tail(),
    async stop() {
      const { code, killed } = await daemon.stop();
      assert.ok(!killed, `the server did not drain on SIGTERM\n${daemon.tail()}`);
      assert.equal(code, 0, `the server exited ${code}\n${daemon.tail()}`);
    },
  };
}

function versionOf(file: string): bigint | undefined {
  return statSync(file, { bigint: true, throwIfNoEntry: false })?.mtimeNs;
}

function readIfWhole(file: string): Bootstrap | undefined {
  const text = readFileSync(file, 'utf8');
  return text.trimEnd().endsWith('}') ? JSON.parse(text) : undefined;
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url)).ok;
  } catch {
    return false;
  }
}
