import type { Compilable } from 'kysely';
import type { Dialect } from '../database.ts';
import { tableBuilder } from './table-builder.ts';

/**
 * The last deployment of a service in an environment, the oldest of all, and what runs one: ranges, not looks through
 * all of them.
 */
export function deploymentIndexes(dialect: Dialect): Compilable[] {
  const { index } = tableBuilder(dialect);
  return [
    index('deployments_by_service', 'deployments', [
      ...['project_id', 'environment', 'name', 'service_id', 'number'],
    ]),
    index('deployments_by_age', 'deployments', ['created_at', 'id']),
    index('environment_pointers_by_deployment', 'environment_pointers', ['deployment_id']),
  ];
}
