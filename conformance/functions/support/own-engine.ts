/** A Docker 29 engine for a server of a test's own, and nothing left of either at the end. */
import { createHash } from 'node:crypto';
import { tableOf } from '../../../src/runtimes/docker/network-guard/rules.ts';
import { type DockerEngine, docker29, startEngine } from '../../clients/support/docker-engine.ts';
import { run } from '../../clients/support/run.ts';
import { makeSandbox, systemPath } from '../../clients/support/sandbox.ts';
import { needsServerProgram } from './server-program.ts';

export interface OwnEngine {
  readonly engine: DockerEngine;
  /** Settings of the server that runs functions on it. */
  readonly env: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

/** The server's key, from which the name of its network rules is made. */
const secret = 'ab'.repeat(32);

/** Why there is none here. */
export function ownEngineObstacle(): string | undefined {
  return docker29.obstacle() ?? needsServerProgram();
}

/** `network`: a range that no other server on this machine takes. */
export async function startOwnEngine(network: string): Promise<OwnEngine> {
  await using stack = new AsyncDisposableStack();
  const sandbox = makeSandbox();
  stack.defer(() => sandbox.remove());
  const engine = await startEngine(docker29, sandbox);
  stack.defer(() => engine.stop());
  // Its networks are the machine's.
  stack.defer(() => removeAll(engine));
  const closing = stack.move();
  return {
    engine,
    env: {
      GANTRY_FUNCTIONS: 'on',
      GANTRY_DOCKER_HOST: engine.env.DOCKER_HOST!,
      GANTRY_INSTANCES_AT_STOP: 'end',
      GANTRY_SECRET_KEY: secret,
      GANTRY_FUNCTIONS_NETWORK: network,
    },
    stop: () => closing.disposeAsync(),
  };
}

async function removeAll(engine: DockerEngine): Promise<void> {
  const ids = await engine.docker(['ps', '-aq']);
  const all = ids.split('\n').filter((id) => id !== '');
  if (all.length > 0) await engine.attempt(['rm', '-f', ...all]);
  await engine.attempt(['network', 'prune', '-f']);
  const installation = createHash('sha256')
    .update('installation')
    .update(Buffer.from(secret, 'hex'))
    .digest('hex')
    .slice(0, 16);
  const table = tableOf(installation);
  await run('nft', ['delete', 'table', 'inet', table], { env: { PATH: systemPath } });
}
