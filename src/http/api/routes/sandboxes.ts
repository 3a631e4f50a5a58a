import { functionLimits } from '../../../config/function-limits.ts';
import { refuse } from '../../../oci/errors.ts';
import type { Sandbox, SandboxState } from '../../../ports/sandboxes.ts';
import { limitOf, pageQuery } from '../paging.ts';
import { type Call, created, noContent, ok, type Route } from '../route.ts';
import { runtimeOf } from '../runtime-services.ts';
import { digest, list, nullable, object, oneOf, page, text, time, toTime } from '../schema.ts';
import { imageOf } from './sandbox-image.ts';
import { sandboxWorkRoutes } from './sandbox-work.ts';

const { sandbox: limits } = functionLimits;
const seconds = (ms: number) => Math.floor(ms / 1000);

const port = { type: 'integer', minimum: 1, maximum: 65_535 } as const;
const sandbox = object(
  {
    id: { type: 'string' },
    repository: { type: 'string', description: 'team/project/repository' },
    digest,
    state: oneOf('starting', 'running', 'ended'),
    reason: nullable({ type: 'string', description: 'Why it ended.' }),
    machineType: { type: 'string' },
    ports: list(object({ port, url: { type: 'string' } }, { title: 'SandboxPort' })),
    createdAt: time,
    createdBy: { type: 'string' },
    expiresAt: time,
    endedAt: nullable(time),
  },
  { title: 'Sandbox' },
);
const timeLimit = {
  type: 'integer',
  minimum: 10,
  maximum: seconds(limits.longestMs),
  description: `Seconds; at most ${seconds(limits.longestMs)} from its beginning.`,
} as const;

const path = '/teams/{team}/projects/{project}/sandboxes';
const access = { at: 'project', action: 'functions' } as const;
const tag = 'Sandboxes';
const params = { sandbox: text(64, { pattern: '^[a-z0-9_]+$' }) } as const;

interface NewSandboxBody {
  readonly image: string;
  readonly machineType?: string;
  readonly diskSize?: '512MB' | '10GB';
  readonly env?: Readonly<Record<string, string>>;
  readonly process?: 'wait' | 'image';
  readonly timeLimit?: number;
  readonly ports?: readonly number[];
}

/** Containers to work in: made from images, for a time. */
export const sandboxRoutes: readonly Route[] = [
  {
    method: 'GET',
    path,
    operationId: 'listSandboxes',
    tag,
    summary: "A project's sandboxes, the newest first.",
    access,
    query: pageQuery({ state: oneOf('starting', 'running', 'ended') }),
    replies: { 200: { description: 'A page of them.', schema: page(sandbox, 'Sandboxes') } },
    async handle(call) {
      const { cursors, metadata } = call.services;
      const state = call.query.state as SandboxState | undefined;
      const scope = `sandboxes:${call.project.id}/${state ?? ''}`;
      const [before] = cursors.read(scope, call.query.cursor) ?? [];
      const limit = limitOf(call);
      const place = { projectId: call.project.id, state };
      const rows = await metadata.sandboxes.page(place, before as string | undefined, limit + 1);
      const { items, next } = cursors.page(scope, rows, limit, (row) => [row.id]);
      return ok({ items: items.map((row) => viewOf(call, row)), next });
    },
  },
  {
    method: 'POST',
    path,
    operationId: 'createSandbox',
    tag,
    summary: 'Creates a sandbox from an image.',
    description:
      'The answer comes at once; commands wait until it runs. It ends at its time limit, five minutes unless given, and nothing of it is kept.',
    access,
    idempotent: true,
    body: object(
      {
        image: text(512, {
          description:
            "`repository:tag` or `repository@digest` of the project, or a whole name `team/project/repository:tag` of the team's or a public one.",
          examples: ['tools:latest'],
        }),
        machineType: text(64, { examples: ['S'] }),
        diskSize: oneOf('512MB', '10GB'),
        env: {
          type: 'object',
          propertyNames: { pattern: '^[A-Za-z_][A-Za-z0-9_]*$', maxLength: 255 },
          additionalProperties: { type: 'string', maxLength: 65_536, pattern: '^[^\\u0000]*$' },
          maxProperties: 1000,
        },
        process: {
          ...oneOf('wait', 'image'),
          description:
            '`wait`, which is usual: a program that only waits, so that every image will do. `image`: what the image itself runs; the sandbox ends with it.',
        },
        timeLimit,
        ports: list(port, {
          maxItems: limits.ports,
          uniqueItems: true,
          description: 'Reached from outside, each at an address of its own that nobody guesses.',
        }),
      },
      {
        optional: ['machineType', 'diskSize', 'env', 'process', 'timeLimit', 'ports'],
        title: 'NewSandbox',
      },
    ),
    replies: { 201: { description: 'It is being started.', schema: sandbox } },
    async handle(call) {
      const { services, team, project, identity } = call;
      const { manager } = runtimeOf(services).sandboxes;
      const body = call.body as NewSandboxBody;
      checkEnvironment(body.env ?? {});
      const image = await imageOf(call, body.image);
      const made = await manager.create({
        ...{ team, project, image, actor: identity.actor },
        ...{ machineType: body.machineType, diskSize: body.diskSize, env: body.env ?? {} },
        ...{ process: body.process ?? 'wait', ports: body.ports ?? [] },
        timeMs: body.timeLimit === undefined ? undefined : body.timeLimit * 1000,
      });
      const at = `/teams/${team.slug}/projects/${project.slug}/sandboxes/${made.id}`;
      return created(viewOf(call, made), at);
    },
  },
  {
    method: 'GET',
    path: `${path}/{sandbox}`,
    operationId: 'getSandbox',
    tag,
    summary: 'A sandbox.',
    access,
    params,
    replies: { 200: { description: 'The sandbox.', schema: sandbox } },
    async handle(call) {
      return ok(viewOf(call, await sandboxOf(call)));
    },
  },
  {
    method: 'PATCH',
    path: `${path}/{sandbox}`,
    operationId: 'extendSandbox',
    tag,
    summary: 'Gives a sandbox more time, or less.',
    access,
    params,
    body: object({ timeLimit }, { title: 'SandboxTime' }),
    replies: { 200: { description: 'It has that long from now on.', schema: sandbox } },
    refusals: [409],
    async handle(call) {
      const found = await sandboxOf(call);
      const { timeLimit } = call.body as { timeLimit: number };
      const { manager } = runtimeOf(call.services).sandboxes;
      return ok(viewOf(call, await manager.extend(found, timeLimit * 1000)));
    },
  },
  {
    method: 'DELETE',
    path: `${path}/{sandbox}`,
    operationId: 'stopSandbox',
    tag,
    summary: 'Ends a sandbox.',
    access,
    params,
    replies: { 204: { description: 'It has ended.' } },
    async handle(call) {
      const found = await sandboxOf(call);
      await runtimeOf(call.services).sandboxes.manager.stop(found);
      return noContent;
    },
  },
  {
    method: 'POST',
    path: `${path}/{sandbox}/ports`,
    operationId: 'exposeSandboxPort',
    tag,
    summary: 'Makes a port of a sandbox reachable.',
    description:
      'HTTP and WebSocket, at an address of its own under the functions domain: who knows it may connect.',
    access,
    params,
    body: object({ port }, { title: 'NewSandboxPort' }),
    replies: { 200: { description: 'The sandbox with its addresses.', schema: sandbox } },
    refusals: [409],
    async handle(call) {
      const found = await sandboxOf(call);
      const { port } = call.body as { port: number };
      const { manager } = runtimeOf(call.services).sandboxes;
      return ok(viewOf(call, await manager.expose(found, port)));
    },
  },
  ...sandboxWorkRoutes({ path, params, access, tag }, sandboxOf),
];

/** Rejects with `not-found`, also for one of another project. */
async function sandboxOf({ services, project, params }: Call): Promise<Sandbox> {
  const found = await services.metadata.sandboxes.find(params.sandbox!);
  if (found?.projectId === project.id) return found;
  throw refuse('not-found', 'The project has no such sandbox.');
}

function checkEnvironment(env: Readonly<Record<string, string>>): void {
  let size = 0;
  for (const [name, value] of Object.entries(env)) size += Buffer.byteLength(name + value) + 2;
  if (size <= functionLimits.environment) return;
  const message = `The environment has ${size} bytes; at most ${functionLimits.environment} are allowed.`;
  throw refuse('invalid', message, 'Write long values into files.');
}

function viewOf({ services }: Call, found: Sandbox) {
  const { id, spec, state, reason, createdAt, createdBy, expiresAt, endedAt } = found;
  const urlOf = services.runtime?.sandboxes.urlOf;
  return {
    ...{ id, repository: spec.repository, digest: spec.digest, state, reason: reason ?? null },
    machineType: spec.machineType,
    ports:
      state === 'ended' || !urlOf
        ? []
        : spec.ports.map(({ port, label }) => ({ port, url: urlOf(label) })),
    ...{ createdAt: toTime(createdAt), createdBy, expiresAt: toTime(expiresAt) },
    endedAt: endedAt === undefined ? null : toTime(endedAt),
  };
}
