import { mayAct } from '../../../../auth/authorizer.ts';
import { refuse } from '../../../../oci/errors.ts';
import type { Service, ServiceSettings } from '../../../../ports/functions.ts';
import { checkLogSink } from '../../../../scheduler/records/sinks/log-sinks.ts';
import { checkSettings } from '../../../../scheduler/settings/check-settings.ts';
import type { Call } from '../../route.ts';
import { runtimeOf } from '../../runtime-services.ts';

/** The service that the path names. */
export async function serviceOf({ services, project, params }: Call): Promise<Service> {
  const found = await services.metadata.services.find(project.id, params.service!);
  if (found) return found;
  throw refuse(
    'not-found',
    'The project has no such service.',
    'List those that it has: GET …/services. A push to a new repository makes one.',
  );
}

/** The id of a repository of the project, by its name. Rejects with `not-found`. */
export async function repositoryIdOf({ services, project }: Call, name: string): Promise<string> {
  const path = { team: project.teamSlug, project: project.slug, repository: name };
  const found = await services.metadata.repositories.find(path);
  if (found) return found.id;
  throw refuse('not-found', 'The project has no such repository.', 'Push to it first.');
}

/** Throws `invalid` where settings cannot be, or `denied` where they give what the caller does not have. */
export function requireSettings(
  call: Call,
  settings: ServiceSettings,
  before: ServiceSettings = {},
): void {
  const problems = checkSettings(settings);
  if (problems.length > 0)
    throw refuse('invalid', problems.join(' '), 'docs/functions.md lists what can be set.');
  requireRole(call, settings, before);
  const sink = settings.logSink;
  if (!sink || JSON.stringify(sink) === JSON.stringify(before.logSink)) return;
  checkLogSink(sink, { check: (url) => runtimeOf(call.services).checkEndpoint(url) });
}

/** Instances act for themselves: who cannot push would push by one else. */
function requireRole(
  { identity, project }: Call,
  { role }: ServiceSettings,
  before: ServiceSettings,
): void {
  const place = { teamId: project.teamId, projectId: project.id, visibility: 'private' as const };
  const lacking = role?.actions.filter(
    (action) => !before.role?.actions.includes(action) && !mayAct(identity, place, action),
  );
  if (!lacking || lacking.length === 0) return;
  throw refuse(
    'denied',
    `${identity.actor} may not ${lacking.join(', ')} here, and so may give that to no service.`,
    'Ask someone who may to set the role.',
  );
}

/** What is given replaces, null removes, the rest stays. */
export function merged(settings: ServiceSettings, change: object): ServiceSettings {
  const all = Object.entries({ ...settings, ...change });
  return Object.fromEntries(all.filter(([, value]) => value !== null));
}
