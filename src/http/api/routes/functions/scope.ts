import type { RecordScope } from '../../../../ports/function-records.ts';
import type { Call } from '../../route.ts';
import { type Schema, text } from '../../schema.ts';

export const functionsPath = '/teams/{team}/projects/{project}/functions';
export const recordTag = 'Function records';
/** What functions wrote and were asked may be anybody's data: for who runs functions. */
export const readRecords = { at: 'project', action: 'functions' } as const;
/** Who pays may see what for. */
export const readBills = { at: 'project', action: 'functions', or: 'manage' } as const;

const id = (prefix: string, of: string): Schema =>
  text(64, {
    pattern: `^${prefix}_[0-9a-f]{1,32}$`,
    description: `Only of this ${of}, by its id.`,
  });

export const scopeFilters = {
  service: text(63, { description: 'Only of this service, by its name.' }),
  deployment: id('dpl', 'deployment'),
  instance: id('ins', 'instance'),
} satisfies Record<string, Schema>;

export const requestFilter = id('req', 'request');

export function scopeOf({ project, query }: Call): RecordScope {
  return {
    projectId: project.id,
    service: query.service as string | undefined,
    deploymentId: query.deployment as string | undefined,
    instanceId: query.instance as string | undefined,
  };
}

interface Placed {
  readonly service: string;
  readonly deploymentId: string;
  readonly instanceId?: string | undefined;
}

export function isWithin(scope: RecordScope, row: Placed): boolean {
  return (
    (scope.service === undefined || scope.service === row.service) &&
    (scope.deploymentId === undefined || scope.deploymentId === row.deploymentId) &&
    (scope.instanceId === undefined || scope.instanceId === row.instanceId)
  );
}

/** The part of a scope that an index serves best. */
export function narrowest({ projectId, ...scope }: RecordScope): RecordScope {
  const { instanceId, deploymentId, service } = scope;
  if (instanceId !== undefined) return { projectId, instanceId };
  if (deploymentId !== undefined) return { projectId, deploymentId };
  return service === undefined ? { projectId } : { projectId, service };
}

/** A part of a cursor's scope. */
export const keyOf = (scope: RecordScope, more = ''): string =>
  `${scope.projectId}/${scope.deploymentId ?? ''}/${scope.instanceId ?? ''}/${scope.service ?? ''}/${more}`;
