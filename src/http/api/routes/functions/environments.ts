import { refuse } from '../../../../oci/errors.ts';
import type { Deployment, EnvironmentPointer } from '../../../../ports/functions.ts';
import { productionName } from '../../../../scheduler/reserve.ts';
import { type Call, noContent, ok, type Route } from '../../route.ts';
import { list, object, text } from '../../schema.ts';
import { requireDeployment } from './deployments.ts';
import { base, deploys, environmentView, sees, viewEnvironment } from './views.ts';

const params = {
  environment: text(136, {
    pattern: '^(?:production|preview:[A-Za-z0-9_][A-Za-z0-9._-]{0,127})$',
    description: '`production`, or `preview:` and the name of a preview.',
    examples: ['production', 'preview:pr-7'],
  }),
} as const;
const path = `${base}/environments`;
const tag = 'Deployments';
const pageSize = 200;

type Moved = EnvironmentPointer & { deploymentId: string };

export const environmentRoutes: readonly Route[] = [
  {
    method: 'GET',
    path,
    operationId: 'listEnvironments',
    tag,
    summary: 'What runs: production and previews, with their addresses.',
    access: sees,
    replies: {
      200: {
        description: 'All of them.',
        schema: object({ items: list(environmentView) }, { title: 'FunctionEnvironments' }),
      },
    },
    async handle(call) {
      const { deployments } = call.services.metadata;
      const hosts = await deployments.hosts(call.project.id);
      const pointers = await deployments.pointers(call.project.id);
      const items = pointers.filter(points).map((one) => viewEnvironment(call, one, hosts));
      return ok({ items });
    },
  },
  {
    method: 'GET',
    path: `${path}/{environment}`,
    operationId: 'getEnvironment',
    tag,
    summary: 'What runs in an environment.',
    access: sees,
    params,
    replies: { 200: { description: 'The environment.', schema: environmentView } },
    async handle(call) {
      return ok(await view(call, await pointerOf(call)));
    },
  },
  {
    method: 'DELETE',
    path: `${path}/{environment}`,
    operationId: 'endEnvironment',
    tag,
    summary: 'Ends what runs in an environment; the next push there begins anew.',
    description: 'Its deployments keep their own addresses until they are deleted.',
    access: deploys,
    params,
    replies: { 204: { description: 'Nothing runs there.' } },
    async handle(call) {
      await move(call, await pointerOf(call), null);
      return noContent;
    },
  },
  {
    method: 'POST',
    path: `${path}/{environment}/rollback`,
    operationId: 'rollbackEnvironment',
    tag,
    summary: 'Moves an environment back to a former deployment, at once.',
    description:
      'To `deployment`, which must be ready; unless given, to the one before. What was pushed before the rollback does not undo it; the next push does.',
    access: deploys,
    params,
    body: object(
      { deployment: text(64, { pattern: '^dpl_[0-9a-f]{32}$' }) },
      { optional: ['deployment'], title: 'Rollback' },
    ),
    replies: { 200: { description: 'The environment as it is now.', schema: environmentView } },
    refusals: [409, 412],
    handle: rollback,
  },
];

const points = (pointer: EnvironmentPointer): pointer is Moved =>
  pointer.deploymentId !== undefined;

async function pointerOf({ services, project, params }: Call): Promise<Moved> {
  const key = params.environment!;
  const found = await services.metadata.deployments.pointer(
    project.id,
    key === 'production' ? key : 'preview',
    key === 'production' ? productionName : key.slice('preview:'.length),
  );
  if (found && points(found)) return found;
  throw refuse('not-found', 'Nothing runs in that environment.', 'Push an image there first.');
}

async function view(call: Call, pointer: Moved) {
  const hosts = await call.services.metadata.deployments.hosts(call.project.id);
  return viewEnvironment(call, pointer, hosts);
}

async function move(call: Call, pointer: EnvironmentPointer, deploymentId: string | null) {
  const { services, identity } = call;
  const { projectId, environment, name, version } = pointer;
  const { from } = await services.metadata.writer.run('MovePointer', {
    ...{ projectId, environment, name, version, deploymentId },
    ...{ actor: identity.actor, now: services.clock.now() },
  });
  services.functions?.changed({ replaced: from === deploymentId ? null : from });
}

async function rollback(call: Call) {
  const pointer = await pointerOf(call);
  const { deployment: given } = call.body as { deployment?: string };
  const to = given
    ? await requireDeployment(call.services, call.project.id, given)
    : await before(call, pointer);
  await move(call, pointer, to.id);
  return ok(await view(call, await pointerOf(call)));
}

/** The newest that was ready there before what runs now. */
async function before(call: Call, pointer: Moved): Promise<Deployment> {
  const { deployments } = call.services.metadata;
  const current = await deployments.findById(pointer.deploymentId);
  const { environment, projectId } = pointer;
  let number = current?.number;
  for (;;) {
    const scope = { projectId, environment, state: 'ready' } as const;
    const page = await deployments.page(scope, number, pageSize);
    const found = page.find(({ name }) => name === pointer.name);
    if (found) return found;
    number = page.at(-1)?.number;
    if (page.length < pageSize || number === undefined) break;
  }
  throw refuse(
    'conflict',
    'There is no earlier deployment that is ready.',
    'Name one: {"deployment": "dpl_…"}; GET …/deployments?state=ready lists them.',
  );
}
