import { refuse } from '../../../../oci/errors.ts';
import type { Service } from '../../../../ports/functions.ts';
import { newId } from '../../../../projects/ids.ts';
import {
  type ConfigFile,
  type GantryConfig,
  parseGantryConfig,
  rewritesSchema,
} from '../../../../scheduler/settings/gantry-config.ts';
import { type Call, ok, type Route } from '../../route.ts';
import { list, object, oneOf, type Schema } from '../../schema.ts';
import { redeploy, viewMade } from './make-deployments.ts';
import { requireSettings } from './service-changes.ts';
import { base, madeDeployments, sees, serviceSettings, sets } from './views.ts';

const path = `${base}/gantry-config`;
const services: Schema = { type: 'object', additionalProperties: serviceSettings };
const rewrites = rewritesSchema as Schema;
const tag = 'Services';

export const gantryConfigRoutes: readonly Route[] = [
  {
    method: 'GET',
    path,
    operationId: 'getGantryConfig',
    tag,
    summary: 'Settings of all services and the rewrites, as gantry.json has them.',
    access: sees,
    replies: {
      200: {
        description: 'What a gantry.json of the project would say.',
        schema: object({ services, rewrites }, { title: 'GantryConfig' }),
      },
    },
    async handle(call) {
      const { services } = call.services.metadata;
      const all = await services.list(call.project.id);
      const { rewrites } = await services.rewrites(call.project.id);
      const settings = Object.fromEntries(all.map((one) => [one.name, one.settings]));
      return ok({ services: settings, rewrites });
    },
  },
  {
    method: 'PUT',
    path,
    operationId: 'putGantryConfig',
    tag,
    summary: "Takes a gantry.json's (or vercel.json's) services and rewrites.",
    description:
      'Services that it names are made, or have the settings that it gives; others stay as they are. Rewrites are replaced. What runs is deployed anew, if the caller may deploy. Keys that gantry.json does not have are refused, in vercel.json they are warned of.',
    access: sets,
    query: object(
      {
        file: { ...oneOf('gantry.json', 'vercel.json'), description: 'gantry.json unless given.' },
      },
      { optional: ['file'] },
    ),
    body: { type: 'object', title: 'GantryJson', description: 'The content of the file.' },
    replies: {
      200: {
        description: 'It holds.',
        schema: object(
          {
            changed: list({ type: 'string' }, { description: 'Names of services.' }),
            warnings: list({ type: 'string' }),
            deployments: madeDeployments,
          },
          { title: 'GantryConfigTaken' },
        ),
      },
    },
    refusals: [409],
    handle: putGantryConfig,
  },
];

async function putGantryConfig(call: Call) {
  const { metadata } = call.services;
  const present = await metadata.services.list(call.project.id);
  const parsed = parseGantryConfig(call.body, {
    file: (call.query.file as ConfigFile | undefined) ?? 'gantry.json',
    serviceNames: present.map(({ name }) => name),
  });
  if ('problems' in parsed) {
    throw refuse(
      'invalid',
      parsed.problems.join(' '),
      'docs/functions.md says what the file can have.',
    );
  }
  const { config, warnings } = parsed;
  for (const [name, settings] of Object.entries(config.services)) {
    requireSettings(call, settings, present.find((one) => one.name === name)?.settings);
  }
  const changed = await takeServices(call, config, present);
  const rewritten = await takeRewrites(call, config);
  const ids = rewritten ? undefined : changed.map(({ id }) => id);
  const made = ids === undefined || ids.length > 0 ? await redeploy(call, ids) : [];
  return ok({
    changed: changed.map(({ name }) => name),
    warnings,
    deployments: made.map((one) => viewMade(call, one)),
  });
}

async function takeServices(call: Call, config: GantryConfig, present: readonly Service[]) {
  const { services, project, identity } = call;
  const { metadata, clock } = services;
  const changed: { id: string; name: string }[] = [];
  for (const [name, settings] of Object.entries(config.services)) {
    const found = present.find((one) => one.name === name);
    const common = { settings, actor: identity.actor, now: clock.now() };
    if (!found) {
      const id = newId('svc');
      const repositoryId = await freeRepository(call, name);
      const args = { ...common, id, projectId: project.id, name, repositoryId };
      await metadata.writer.run('CreateService', args);
      changed.push({ id, name });
    } else if (sorted(found.settings) !== sorted(settings)) {
      await metadata.writer.run('UpdateService', { ...common, id: found.id });
      changed.push(found);
    }
  }
  return changed;
}

/** Of the service's name, where no other service has it. */
async function freeRepository({ services, project }: Call, name: string) {
  const { metadata } = services;
  const path = { team: project.teamSlug, project: project.slug, repository: name };
  const found = await metadata.repositories.find(path);
  return found && !(await metadata.services.findByRepository(found.id)) ? found.id : undefined;
}

async function takeRewrites(call: Call, { rewrites }: GantryConfig): Promise<boolean> {
  const { services, project, identity } = call;
  const held = await services.metadata.services.rewrites(project.id);
  if (JSON.stringify(held.rewrites) === JSON.stringify(rewrites)) return false;
  await services.metadata.writer.run('SetRewrites', {
    ...{ projectId: project.id, rewrites, actor: identity.actor, now: services.clock.now() },
  });
  return true;
}

const sorted = (settings: object) =>
  JSON.stringify(Object.entries(settings).sort(([a], [b]) => (a < b ? -1 : 1)));
