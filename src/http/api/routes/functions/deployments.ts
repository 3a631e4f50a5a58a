import { refuse } from '../../../../oci/errors.ts';
import type {
  Deployment,
  DeploymentState,
  FunctionEnvironment,
} from '../../../../ports/functions.ts';
import { isSettled } from '../../../../scheduler/deployments/deployment-watch.ts';
import { limitOf, pageQuery } from '../../paging.ts';
import { type Call, created, noContent, ok, type Route } from '../../route.ts';
import { object, oneOf, page, type Schema, text } from '../../schema.ts';
import { imageOf } from './images.ts';
import { makeDeployment, requireOn } from './make-deployments.ts';
import { serviceName } from './services.ts';
import { base, deploymentView, deploys, placesOf, sees, states, viewDeployment } from './views.ts';

const deploymentId = text(64, {
  pattern: '^dpl_[0-9a-f]{32}$',
  description: 'As lists of deployments have it.',
});
const params = { deployment: deploymentId } as const;
const environment = oneOf('production', 'preview');
export const previewName = text(128, {
  format: 'tag',
  description: 'Of a preview: a tag or a branch.',
  examples: ['pr-7'],
});
const target: Record<string, Schema> = { environment, name: previewName };
const tag = 'Deployments';
const one = { 200: { description: 'The deployment.', schema: deploymentView } };
const made = { 201: { description: 'The deployment, on its way.', schema: deploymentView } };
const all: readonly DeploymentState[] = states;

export const deploymentRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: `${base}/deployments`,
    operationId: 'listDeployments',
    tag,
    summary: "The project's deployments, newest first.",
    access: sees,
    query: pageQuery({ environment, state: oneOf(...states) }),
    replies: {
      200: { description: 'A page.', schema: page(deploymentView, 'Deployments') },
    },
    handle: listDeployments,
  },
  {
    method: 'POST',
    path: `${base}/deployments`,
    operationId: 'createDeployment',
    tag,
    summary: 'Deploys an image that is there already, or all that runs anew.',
    description:
      'With `service`: its image under `reference` (a tag or digest; unless given the tag of the environment) in `repository` (a name in the project, or team/project/repository; unless given the one that it is bound to). Without: what the environment runs, with all settings as they are now. production unless `environment` is given; a preview needs a `name`.',
    access: deploys,
    idempotent: true,
    body: object(
      {
        ...target,
        service: serviceName,
        repository: text(255, {
          description: 'A name in the project, or team/project/repository.',
        }),
        reference: text(140, { description: 'A tag or a digest.' }),
      },
      {
        optional: ['environment', 'name', 'service', 'repository', 'reference'],
        title: 'NewDeployment',
      },
    ),
    replies: made,
    refusals: [409],
    handle: createDeployment,
  },
  {
    method: 'GET',
    path: `${base}/deployments/{deployment}`,
    operationId: 'getDeployment',
    tag,
    summary: 'A deployment, now or once its state is another.',
    description:
      'With `wait`, the answer comes once it is ready or over, or its state is another than `from`; after so many seconds at the latest, as it is then.',
    access: sees,
    params,
    query: object(
      {
        wait: { type: 'integer', minimum: 0, maximum: 60, description: 'Seconds, 0 to 60.' },
        from: { ...oneOf(...states), description: 'The state that is known already.' },
      },
      { optional: ['wait', 'from'] },
    ),
    replies: one,
    async handle(call) {
      const deployment = await waited(call, await deploymentOf(call));
      return ok(viewDeployment(call, deployment, await placesOf(call)));
    },
  },
  {
    method: 'DELETE',
    path: `${base}/deployments/{deployment}`,
    operationId: 'deleteDeployment',
    tag,
    summary: 'Ends a deployment that no environment runs: its address answers no more.',
    access: deploys,
    params,
    replies: { 204: { description: 'It is over.' } },
    refusals: [409],
    async handle(call) {
      const { id } = await deploymentOf(call);
      const now = call.services.clock.now();
      const from = all.filter((state) => state !== 'deleted');
      const args = { id, from, state: 'deleted', now } as const;
      await call.services.metadata.writer.run('SetDeploymentState', args);
      call.services.functions?.changed({ deleted: id });
      return noContent;
    },
  },
  {
    method: 'POST',
    path: `${base}/deployments/{deployment}/promote`,
    operationId: 'promoteDeployment',
    tag,
    summary: 'Runs the same images in production (or another environment), without building.',
    description:
      'Makes a deployment of the same digests and settings, which takes its place once it is ready. What was pushed there before does not undo it.',
    access: deploys,
    params,
    idempotent: true,
    body: object(target, { optional: ['environment', 'name'], title: 'Promotion' }),
    replies: made,
    refusals: [409],
    handle: promoteDeployment,
  },
];

async function listDeployments(call: Call) {
  const { services, project, query } = call;
  const { cursors, metadata } = services;
  const environment = query.environment as FunctionEnvironment | undefined;
  const state = query.state as DeploymentState | undefined;
  const scope = `deployments:${project.id}:${environment ?? ''}:${state ?? ''}`;
  const [before] = cursors.read(scope, query.cursor) ?? [];
  const limit = limitOf(call);
  const rows = await metadata.deployments.page(
    { projectId: project.id, environment, state },
    before as number | undefined,
    limit + 1,
  );
  const { items, next } = cursors.page(scope, rows, limit, (row) => [row.number]);
  const places = await placesOf(call);
  return ok({ items: items.map((row) => viewDeployment(call, row, places)), next });
}

/** The deployment that the path names, of the project that it names. */
export async function deploymentOf({ services, project, params }: Call): Promise<Deployment> {
  return requireDeployment(services, project.id, params.deployment!);
}

export async function requireDeployment(
  { metadata }: Pick<Call['services'], 'metadata'>,
  projectId: string,
  id: string,
): Promise<Deployment> {
  const found = await metadata.deployments.findById(id);
  if (found?.projectId === projectId) return found;
  throw refuse(
    'not-found',
    'The project has no such deployment.',
    'List those that it has: GET …/deployments.',
  );
}

async function waited(call: Call, deployment: Deployment): Promise<Deployment> {
  const { wait = 0, from } = call.query as { wait?: number; from?: DeploymentState };
  const watch = call.services.functions?.watch;
  if (wait === 0 || !watch || isSettled(deployment)) return deployment;
  const gone = new AbortController();
  const leave = () => gone.abort();
  call.res.once('close', leave);
  try {
    const signal = AbortSignal.any([gone.signal, AbortSignal.timeout(wait * 1000)]);
    let last = deployment;
    for await (const now of watch.watch(deployment.id, signal)) {
      last = now;
      if (from !== undefined && now.state !== from) break;
    }
    return last;
  } finally {
    call.res.off('close', leave);
  }
}

/** The environment that the body names. */
function targetOf(call: Call): { environment: FunctionEnvironment; name: string } {
  const given = call.body as { environment?: FunctionEnvironment; name?: string };
  const { environment = 'production', name } = given;
  if (environment === 'production') {
    if (name === undefined) return { environment, name: 'production' };
    throw refuse('invalid', 'production has no "name": only previews do.', 'Leave it out.');
  }
  if (name !== undefined) return { environment, name };
  throw refuse(
    'invalid',
    'A preview needs a "name", such as its tag.',
    'Add it: {"name": "pr-7"}.',
  );
}

async function createDeployment(call: Call) {
  requireOn(call);
  const target = targetOf(call);
  const { service } = call.body as { service?: string };
  const deployment =
    service === undefined
      ? await deployAnew(call, target)
      : await makeDeployment(call, {
          ...target,
          snapshot: { services: [], rewrites: [] },
          origin: { type: 'api', image: await imageOf(call, service, target) },
          service,
        });
  return madeReply(call, deployment);
}

async function deployAnew(
  call: Call,
  target: { environment: FunctionEnvironment; name: string },
): Promise<Deployment> {
  const given = call.body as { repository?: string; reference?: string };
  if (given.repository !== undefined || given.reference !== undefined) {
    throw refuse('invalid', 'An image is of a service.', 'Name it: {"service": "web"}.');
  }
  const { deployments } = call.services.metadata;
  const { environment, name } = target;
  const pointer = await deployments.pointer(call.project.id, environment, name);
  const id = pointer?.deploymentId;
  const current = id === undefined ? undefined : await deployments.findById(id);
  if (!current?.snapshot) {
    throw refuse(
      'conflict',
      `Nothing runs in ${environment === 'production' ? environment : `the preview "${name}"`} that could be deployed anew.`,
      'Push an image, or name a service whose image is to run: {"service": "web"}.',
    );
  }
  const { snapshot } = current;
  return makeDeployment(call, { ...target, snapshot, origin: { type: 'api' } });
}

async function promoteDeployment(call: Call) {
  requireOn(call);
  const promoted = await deploymentOf(call);
  if (promoted.state !== 'ready' || !promoted.snapshot) {
    throw refuse(
      'conflict',
      `The deployment is ${promoted.state}: only one that is ready can be promoted.`,
      'Wait until it is ready: GET …/deployments/<id>?wait=60',
    );
  }
  const { snapshot, id: deploymentId } = promoted;
  const origin = { type: 'promote', deploymentId } as const;
  return madeReply(call, await makeDeployment(call, { ...targetOf(call), snapshot, origin }));
}

async function madeReply(call: Call, deployment: Deployment) {
  const { teamSlug, slug } = call.project;
  const at = `/teams/${teamSlug}/projects/${slug}/deployments/${deployment.id}`;
  return created(viewDeployment(call, deployment, await placesOf(call)), at);
}
