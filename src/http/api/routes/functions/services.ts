import { RegistryError } from '../../../../oci/errors.ts';
import type { Service, ServiceSettings } from '../../../../ports/functions.ts';
import { newId } from '../../../../projects/ids.ts';
import { type Call, created, noContent, ok, type Route } from '../../route.ts';
import { list, nullable, object, type Schema, text } from '../../schema.ts';
import { redeploy, viewMade } from './make-deployments.ts';
import { merged, repositoryIdOf, requireSettings, serviceOf } from './service-changes.ts';
import {
  base,
  deploys,
  sees,
  serviceChange,
  serviceSettings,
  serviceView,
  sets,
  settingProperties,
  viewService,
} from './views.ts';

export const serviceName = text(128, {
  format: 'repository-name',
  description: 'As a repository is named.',
  examples: ['web'],
});
const params = { service: serviceName } as const;
const changes = object(
  Object.fromEntries(
    Object.entries(settingProperties).map(([name, schema]): [string, Schema] => [
      name,
      nullable(schema),
    ]),
  ),
  { optional: Object.keys(settingProperties), title: 'ServiceSettingsChange' },
);
const repository = { ...serviceName, description: 'A repository of the project.' };
const tag = 'Services';

export const serviceRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: `${base}/services`,
    operationId: 'listServices',
    tag,
    summary: "The project's services, by name.",
    access: sees,
    replies: {
      200: {
        description: 'All of them.',
        schema: object({ items: list(serviceView) }, { title: 'Services' }),
      },
    },
    async handle(call) {
      const { metadata } = call.services;
      const hosts = await metadata.deployments.hosts(call.project.id);
      const services = await metadata.services.list(call.project.id);
      const items = [];
      for (const service of services) items.push(await viewService(call, service, hosts));
      return ok({ items });
    },
  },
  {
    method: 'POST',
    path: `${base}/services`,
    operationId: 'createService',
    tag,
    summary: 'Makes a service.',
    description:
      'Not needed for a first push: a push to a repository without a service makes one of its name. With `repository`, pushes to that one deploy it.',
    access: sets,
    idempotent: true,
    body: object(
      { name: serviceName, repository, settings: serviceSettings },
      { optional: ['repository', 'settings'], title: 'NewService' },
    ),
    replies: { 201: { description: 'The service.', schema: serviceView } },
    refusals: [409],
    handle: createService,
  },
  {
    method: 'GET',
    path: `${base}/services/{service}`,
    operationId: 'getService',
    tag,
    summary: 'A service with its settings.',
    access: sees,
    params,
    replies: { 200: { description: 'The service.', schema: serviceView } },
    async handle(call) {
      return ok(await viewService(call, await serviceOf(call)));
    },
  },
  {
    method: 'PATCH',
    path: `${base}/services/{service}`,
    operationId: 'updateService',
    tag,
    summary: 'Changes what is given of a service; null removes a setting.',
    description:
      'Where the service runs, it is deployed anew with the change (in production and in the ten previews that moved last), if the caller may deploy; else with the next push.',
    access: sets,
    params,
    body: object(
      { settings: changes, repository: nullable(repository) },
      { optional: ['settings', 'repository'], title: 'ServiceChange' },
    ),
    replies: { 200: { description: 'The service as it is now.', schema: serviceChange } },
    refusals: [409],
    handle: updateService,
  },
  {
    method: 'DELETE',
    path: `${base}/services/{service}`,
    operationId: 'deleteService',
    tag,
    summary: 'Deletes a service.',
    description:
      'Deployments that were made keep running it, until others take their place. The next push to its repository makes it anew, without settings.',
    access: sets,
    params,
    replies: { 204: { description: 'It is gone.' } },
    async handle(call) {
      const { id } = await serviceOf(call);
      await call.services.metadata.writer.run('DeleteService', { id });
      return noContent;
    },
  },
  pausing('pause', 'Stops a service at once: requests get 503, its instances end.'),
  pausing('resume', 'Lets a paused service take requests again.'),
];

function pausing(verb: 'pause' | 'resume', summary: string): Route {
  return {
    method: 'POST',
    path: `${base}/services/{service}/${verb}`,
    operationId: `${verb}Service`,
    tag,
    summary,
    access: deploys,
    params,
    replies: { 200: { description: 'The service as it is now.', schema: serviceView } },
    async handle(call) {
      const { id } = await serviceOf(call);
      const { services, identity } = call;
      const paused = verb === 'pause';
      const changed = await services.metadata.writer.run('UpdateService', {
        ...{ id, paused, actor: identity.actor, now: services.clock.now() },
      });
      services.functions?.paused(changed.projectId, changed.name, paused);
      return ok(await viewService(call, changed));
    },
  };
}

async function createService(call: Call) {
  const { services, project, identity } = call;
  const given = call.body as {
    name: string;
    repository?: string;
    settings?: Service['settings'];
  };
  const { name, settings = {} } = given;
  requireSettings(call, settings);
  const repositoryId = given.repository && (await repositoryIdOf(call, given.repository));
  const id = newId('svc');
  await services.metadata.writer.run('CreateService', {
    ...{ id, projectId: project.id, name, settings, repositoryId: repositoryId || undefined },
    ...{ actor: identity.actor, now: services.clock.now() },
  });
  const made = (await services.metadata.services.findById(id))!;
  const at = `/teams/${project.teamSlug}/projects/${project.slug}/services/${name}`;
  return created(await viewService(call, made), at);
}

async function updateService(call: Call) {
  const { settings, repository } = call.body as { settings?: object; repository?: string | null };
  const repositoryId = repository ? await repositoryIdOf(call, repository) : repository;
  return changeService(call, settings && (() => settings), repositoryId);
}

/** `settings`: what replaces of those that there are. Where the service runs, it is deployed anew. */
export async function changeService(
  call: Call,
  settings: ((before: ServiceSettings) => object) | undefined,
  repositoryId?: string | null,
) {
  const service = await change(call, settings, repositoryId);
  const made = settings ? await redeploy(call, [service.id]) : [];
  const deployments = made.map((deployment) => viewMade(call, deployment));
  return ok({ ...(await viewService(call, service)), deployments });
}

/** To the service as it is: where another change comes between, to what that left. */
async function change(
  call: Call,
  given: ((before: ServiceSettings) => object) | undefined,
  repositoryId: string | null | undefined,
): Promise<Service> {
  const { services, identity } = call;
  for (let attempt = 0; ; attempt++) {
    const service = await serviceOf(call);
    const settings = given && merged(service.settings, given(service.settings));
    if (settings) requireSettings(call, settings, service.settings);
    try {
      return await services.metadata.writer.run('UpdateService', {
        ...{ id: service.id, version: service.version, settings, repositoryId },
        ...{ actor: identity.actor, now: services.clock.now() },
      });
    } catch (error) {
      const raced = error instanceof RegistryError && error.kind === 'precondition-failed';
      if (!raced || attempt >= 5) throw error;
    }
  }
}
