/**
 * The client matrix: each client says for each verb what it does, or why it cannot, and each verb becomes a test.
 * All of a client's tests run against one server, each in repositories of its own.
 */
import { after, before, describe, type TestContext, test } from 'node:test';
import { findProgram } from '../../tools/cache.ts';
import { chosenTopology } from '../../topologies/topology.ts';
import { type Gantry, startGantry } from '../harness.ts';
import type { Credentials, Registry } from './registry.ts';
import { makeSandbox, type Sandbox } from './sandbox.ts';
import { chosenStorages, type Storage } from './storages.ts';
import { startWiretap, type Wiretap } from './wiretap.ts';

const verbs = {
  login: 'logs in with a token, and a wrong one is refused',
  push: 'pushes an image whose bytes arrive as they were',
  pullTag: 'pulls by tag, byte for byte',
  pullDigest: 'pulls by digest, byte for byte',
  index: 'pushes and pulls a multi-arch index',
  zstd: 'pushes and pulls layers compressed with zstd',
  mount: 'copies to another repository by mounts, without sending a layer again',
  delete: 'deletes an image',
};

export type Verb = keyof typeof verbs;
export type Step<Client> = (client: Client, context: Context) => Promise<void>;

export interface Context {
  readonly gantry: Gantry;
  /** `host:port` that clients are given: the server through the wiretap. */
  readonly host: string;
  readonly tap: Wiretap;
  readonly raw: Registry;
  readonly credentials: Credentials;
  readonly sandbox: Sandbox;
}

export interface ClientSuite<Client> {
  readonly name: string;
  /** Why it cannot run here, or undefined where it can. */
  readonly obstacle?: () => string | undefined;
  /** Left out of quick runs: it starts an engine, or builds. */
  readonly slow?: boolean;
  readonly storages?: readonly Storage[];
  start(context: Context): Promise<Client>;
  stop?(client: Client): Promise<void>;
  /** A text in place of a step is the reason of a skip. */
  readonly verbs: Readonly<Record<Verb, Step<Client> | string>>;
  /** What only this client can show. */
  readonly extras?: Readonly<Record<string, Step<Client> | string>>;
}

export function clientSuite<Client>(suite: ClientSuite<Client>): void {
  for (const storage of chosenStorages(suite.storages)) {
    describe(`${suite.name} on ${storage.name}`, () => {
      const obstacle = whySkipped(suite) ?? storage.obstacle?.();
      let running: Awaited<ReturnType<typeof start<Client>>> | undefined;
      if (!obstacle) {
        before(async () => {
          running = await start(suite, storage);
        });
        after(() => running?.stop());
      }
      const steps = Object.entries(verbs).map(
        ([verb, title]) => [title, suite.verbs[verb as Verb]] as const,
      );
      for (const [title, step] of [...steps, ...Object.entries(suite.extras ?? {})]) {
        const skip = obstacle ?? (typeof step === 'string' ? step : undefined);
        test(title, skip ? { skip } : {}, async (t) => {
          const { client, context } = running!;
          if (typeof step !== 'string') await withEvidence(t, context, () => step(client, context));
        });
      }
    });
  }
}

/** A reason that holds for the suite as a whole. */
export function whySkipped(suite: { slow?: boolean; obstacle?: () => string | undefined }) {
  if (suite.slow && process.env.GANTRY_TEST_QUICK === '1') return 'left out of quick runs';
  return suite.obstacle?.();
}

async function start<Client>(suite: ClientSuite<Client>, storage: Storage) {
  await using stack = new AsyncDisposableStack();
  const sandbox = makeSandbox();
  stack.defer(() => sandbox.remove());
  const { env, stop: stopStorage } = await storage.start(sandbox);
  stack.defer(stopStorage);
  const tap = await startWiretap();
  stack.defer(() => tap.close());
  // A server by itself answers under the name that it is asked by; replicas are told what clients use.
  const front = chosenTopology().replicas > 1 ? { GANTRY_PUBLIC_URL: `http://${tap.host}` } : {};
  const gantry = await startGantry({ folder: sandbox.fresh('server'), env: { ...env, ...front } });
  stack.defer(() => gantry.stop());
  const { hostname: host, port } = new URL(gantry.origin);
  tap.aim({ host, port: Number(port) });
  const { teamId, token } = gantry.bootstrap;
  const credentials = { username: teamId, password: token };
  const context = { gantry, host: tap.host, tap, raw: gantry.raw, credentials, sandbox };
  const client = await suite.start(context);
  stack.defer(async () => suite.stop?.(client));
  const running = stack.move();
  return { client, context, stop: () => running.disposeAsync() };
}

async function withEvidence(t: TestContext, context: Context, body: () => Promise<void>) {
  context.tap.forget();
  try {
    await body();
  } catch (error) {
    t.diagnostic(`requests, newest last:\n${context.tap.tail()}`);
    t.diagnostic(`server's log:\n${notable(context.gantry.log())}`);
    throw error;
  }
}

/** The lines that tell of a failure. */
function notable(log: string): string {
  const lines = log
    .split('\n')
    .filter((line) => /"level":"(warn|error)"|"status":(4|5)/.test(line));
  return lines.slice(-20).join('\n');
}

/** The first reason among them. */
export function firstObstacle(...reasons: Array<string | undefined>): string | undefined {
  return reasons.find((reason) => reason !== undefined);
}

export function needsPrograms(...names: string[]): string | undefined {
  return firstObstacle(
    ...names.map((name) => {
      const found = findProgram(name);
      return 'missing' in found ? found.missing : undefined;
    }),
  );
}

/** Path of a program that `needsPrograms` found. */
export function program(name: string): string {
  const found = findProgram(name);
  if ('missing' in found) throw new Error(found.missing);
  return found.path;
}

export function needsRoot(): string | undefined {
  return process.getuid?.() === 0 ? undefined : 'engines need root';
}
