import type {
  Deployment,
  DeploymentOrigin,
  DeploymentState,
  EnvironmentPointer,
  FunctionHost,
  Service,
} from '../../../../ports/functions.ts';
import { serviceProperties } from '../../../../scheduler/settings/service-schema.ts';
import type { FunctionWarning } from '../../function-services.ts';
import type { Call } from '../../route.ts';
import { digest, list, nullable, object, oneOf, type Schema, time, toTime } from '../../schema.ts';

export const base = '/teams/{team}/projects/{project}';
/** Who sets or deploys functions sees them. */
export const sees = { at: 'project', action: 'functions', or: 'deploy' } as const;
export const deploys = { at: 'project', action: 'deploy' } as const;
export const sets = { at: 'project', action: 'functions' } as const;

export const settingProperties = serviceProperties as Readonly<Record<string, Schema>>;
export const serviceSettings = object(settingProperties, {
  optional: Object.keys(settingProperties),
  title: 'ServiceSettings',
  description: 'What is absent has the default of its contract or of this installation.',
});
const string: Schema = { type: 'string' };
const url = nullable({ type: 'string', description: 'Null: functions are off here.' });

const serviceFields = {
  id: string,
  name: string,
  repository: nullable({
    type: 'string',
    description: 'Pushes to it deploy the service; null: none do.',
  }),
  settings: serviceSettings,
  paused: { type: 'boolean', description: 'Requests get 503, and no instance runs.' },
  url,
  version: { type: 'integer', description: 'One more with each change.' },
  createdAt: time,
  updatedAt: time,
  updatedBy: string,
} as const satisfies Record<string, Schema>;
export const serviceView = object(serviceFields, { title: 'Service' });

export const states = [
  ...['queued', 'pending', 'preparing', 'probing'],
  ...['ready', 'failed', 'superseded', 'deleted'],
] as const;
const environment = oneOf('production', 'preview');
const madeDeployment = object(
  { id: string, environment, name: string, url },
  { title: 'MadeDeployment' },
);
export const serviceChange = object(
  {
    ...serviceFields,
    deployments: list(madeDeployment, {
      description: 'Made by the change, so that it holds where the service runs.',
    }),
  },
  { title: 'ServiceChanged' },
);
export const madeDeployments = list(madeDeployment);

export const deploymentView = object(
  {
    id: string,
    number: { type: 'integer', description: '1, 2, 3 … within the project.' },
    environment,
    name: { type: 'string', description: 'production, or the tag or branch of a preview.' },
    state: oneOf(...states),
    current: { type: 'boolean', description: 'Whether its environment points at it.' },
    reason: nullable(
      object(
        { code: string, message: string, hint: string, logs: list(string) },
        { title: 'DeploymentReason', description: 'Why it failed or ended.' },
      ),
    ),
    url,
    services: nullable(
      list(object({ name: string, repository: string, digest }, { title: 'DeployedService' }), {
        description: 'What it runs; null until that is known.',
      }),
    ),
    origin: object(
      {
        type: oneOf('push', 'settings', 'api', 'promote'),
        service: nullable(string),
        reference: nullable({ type: 'string', description: 'The tag or digest that was named.' }),
        digest: nullable(digest),
        deployment: nullable({ type: 'string', description: 'The one that was promoted.' }),
      },
      { title: 'DeploymentOrigin' },
    ),
    warnings: list(
      object({ code: string, message: string, hint: string }, { title: 'DeploymentWarning' }),
      { description: 'What does not keep it from running, and should be known; as it is now.' },
    ),
    createdAt: time,
    createdBy: string,
    readyAt: nullable(time),
  },
  { title: 'Deployment' },
);

export const environmentView = object(
  {
    key: { type: 'string', description: '`production`, or `preview:` and its name.' },
    environment,
    name: string,
    deployment: { type: 'string', description: 'What runs there.' },
    urls: list(object({ service: nullable(string), url }, { title: 'EnvironmentUrl' }), {
      description: 'service null: the address of all of it, by rewrites or its only service.',
    }),
    version: { type: 'integer', description: 'One more with each move.' },
    updatedAt: time,
    updatedBy: string,
  },
  { title: 'FunctionEnvironment' },
);

export const urlOf = ({ services }: Pick<Call, 'services'>, host: string): string | null =>
  services.deploymentUrl?.(host) ?? null;

export async function viewService(call: Call, service: Service, hosts?: readonly FunctionHost[]) {
  const { metadata } = call.services;
  const known = hosts ?? (await metadata.deployments.hosts(call.project.id));
  const own = known.find(
    (host) => host.service === service.name && host.environment?.environment === 'production',
  );
  const { repositoryId } = service;
  const repository = repositoryId && (await metadata.repositories.details(repositoryId));
  return {
    ...{ id: service.id, name: service.name, settings: service.settings, paused: service.paused },
    repository: repository ? repository.name : null,
    url: own ? urlOf(call, own.host) : null,
    ...{ version: service.version, updatedBy: service.updatedBy },
    ...{ createdAt: toTime(service.createdAt), updatedAt: toTime(service.updatedAt) },
  };
}

/** What is looked up once for all deployments of a page. */
export interface DeploymentPlaces {
  readonly current: ReadonlySet<string | undefined>;
  readonly names: ReadonlyMap<string, string>;
  readonly warnings: readonly FunctionWarning[];
}

export async function placesOf({ services, project }: Call): Promise<DeploymentPlaces> {
  const { metadata } = services;
  const pointers = await metadata.deployments.pointers(project.id);
  const known = await metadata.services.list(project.id);
  return {
    current: new Set(pointers.map(({ deploymentId }) => deploymentId)),
    names: new Map(known.map(({ id, name }) => [id, name])),
    warnings: (await services.functions?.warnings()) ?? [],
  };
}

const over: readonly DeploymentState[] = ['failed', 'superseded', 'deleted'];

export function viewDeployment(call: Call, deployment: Deployment, places: DeploymentPlaces) {
  const { id, number, environment, name, state, reason, snapshot, readyAt } = deployment;
  return {
    ...{ id, number, environment, name, state, current: places.current.has(id) },
    reason: reason ? { ...reason, logs: reason.logs ?? [] } : null,
    url: urlOf(call, deployment.host),
    services:
      snapshot?.services.map(({ name, repository, digest }) => ({ name, repository, digest })) ??
      null,
    origin: originOf(deployment.origin, places),
    // Of what runs, or is about to.
    warnings: over.some((one) => one === state) ? [] : places.warnings,
    createdAt: toTime(deployment.createdAt),
    createdBy: deployment.createdBy,
    readyAt: readyAt === undefined ? null : toTime(readyAt),
  };
}

function originOf(origin: DeploymentOrigin, { names }: DeploymentPlaces) {
  const image = origin.type === 'push' ? origin : origin.type === 'api' ? origin.image : undefined;
  return {
    type: origin.type,
    service: (image && names.get(image.serviceId)) ?? null,
    reference: image ? ('tag' in image ? image.tag : image.reference) : null,
    digest: image?.digest ?? null,
    deployment: origin.type === 'promote' ? origin.deploymentId : null,
  };
}

export const keyOf = ({ environment, name }: Pick<EnvironmentPointer, 'environment' | 'name'>) =>
  environment === 'production' ? environment : `preview:${name}`;

export function viewEnvironment(
  call: Call,
  pointer: EnvironmentPointer & { deploymentId: string },
  hosts: readonly FunctionHost[],
) {
  const { environment, name, deploymentId, version } = pointer;
  const own = hosts.filter(
    (host) => host.environment?.environment === environment && host.environment.name === name,
  );
  return {
    ...{ key: keyOf(pointer), environment, name, deployment: deploymentId, version },
    urls: own.map((host) => ({ service: host.service ?? null, url: urlOf(call, host.host) })),
    ...{ updatedAt: toTime(pointer.updatedAt), updatedBy: pointer.updatedBy },
  };
}
