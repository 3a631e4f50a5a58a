/** Two replicas that run functions on one engine, which is started for them. */
import { setTimeout as delay } from 'node:timers/promises';
import type { DockerEngine } from '../../clients/support/docker-engine.ts';
import { type Answer, type Asked, ask } from '../../functions/support/ask.ts';
import { functionImage } from '../../functions/support/images.ts';
import { ownEngineObstacle, startOwnEngine } from '../../functions/support/own-engine.ts';
import { expectStatus } from '../../spec/check.ts';
import { octets } from '../../spec/push.ts';
import { obstacle, startTopology, type Topology } from './topology.ts';

export interface FunctionsWorld {
  readonly world: Topology;
  readonly engine: DockerEngine;
  /** Which of the two runs functions, as its log says. */
  owner(): number;
  api<T>(
    at: number,
    method: string,
    path: string,
    body?: unknown,
  ): Promise<{ status: number; body: T }>;
  /** Below the project of the first start. */
  readonly project: string;
  /** Makes a service, pushes an image to replica `at`, and waits until it answers. The host of its function. */
  deploy(at: number, name: string): Promise<string>;
  /** Containers of instances that run: their ids. */
  running(): Promise<string[]>;
  stop(): Promise<void>;
}

export function functionsObstacle(): string | undefined {
  return ownEngineObstacle() ?? obstacle();
}

export async function startFunctionsWorld(): Promise<FunctionsWorld> {
  await using stack = new AsyncDisposableStack();
  const own = await startOwnEngine('10.231.0.0/16');
  stack.defer(() => own.stop());
  const { engine } = own;
  const world = await startTopology('s3', own.env);
  stack.defer(() => world.stop());
  const closing = stack.move();
  const api = async <T>(at: number, method: string, path: string, body?: unknown) => {
    const answer = await fetch(`${world.origins[at]}/api/v1${path}`, {
      method,
      headers: { authorization: world.authorization, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    return { status: answer.status, body: (await answer.json()) as T };
  };
  const project = `/teams/${world.bootstrap.teamSlug}/projects/${world.bootstrap.projectSlug}`;
  return {
    ...{ world, engine, api, project },
    owner: () => world.leader('functions'),
    async deploy(at, name) {
      for (const [path, body] of [
        ['/repositories', { name }],
        [
          '/services',
          {
            ...{ name, repository: name },
            settings: { freezeAfterMs: 0, idleMs: { production: 600_000 }, maxInstances: 1 },
          },
        ],
      ] as const) {
        const made = await api(at, 'POST', `${project}${path}`, body);
        if (made.status !== 201) throw new Error(JSON.stringify(made.body));
      }
      const registry = world.registry(at);
      const image = functionImage({ version: name });
      const repository = `${world.project}/${name}`;
      for (const blob of [image.config, ...image.layers]) {
        const put = await registry.ask('POST', `/v2/${repository}/blobs/uploads/`, {
          ...{ query: { digest: blob.descriptor.digest }, headers: octets, body: blob.bytes },
        });
        expectStatus(put, 201);
      }
      const pushed = await registry.ask('PUT', `/v2/${repository}/manifests/latest`, {
        headers: { 'content-type': image.manifest.descriptor.mediaType },
        body: image.manifest.bytes,
      });
      const url = expectStatus(pushed, 201).header('gantry-deployment-url');
      if (!url) throw new Error('the push does not say where it will answer');
      const host = new URL(url).hostname;
      await answers(world.origins[at]!, '/', { host }, 60_000);
      return host;
    },
    async running() {
      const ids = await engine.docker([
        'ps',
        '-q',
        '--no-trunc',
        '--filter',
        'label=gantry.instance',
      ]);
      return ids.split('\n').filter((id) => id !== '');
    },
    stop: () => closing.disposeAsync(),
  };
}

/** Asks until it is answered with 200. */
export async function answers(
  origin: string,
  path: string,
  asked: Asked,
  withinMs: number,
): Promise<Answer> {
  const began = performance.now();
  for (let last = ''; ; await delay(100)) {
    const answer = await ask(origin, path, asked).catch((error: unknown) => {
      last = String(error);
      return undefined;
    });
    if (answer?.status === 200) return answer;
    if (answer) last = `${answer.status} ${answer.body}`;
    if (performance.now() - began > withinMs) throw new Error(`no answer in time: ${last}`);
  }
}
