import { mostMinutes, type ServiceFigures } from '../../../../scheduler/records/figures.ts';
import { ok, type Route } from '../../route.ts';
import { list, nullable, object, time, toTime } from '../../schema.ts';
import {
  functionsPath,
  isWithin,
  readRecords,
  scopeFilters,
  scopeOf,
  recordTag as tag,
} from './scope.ts';

const { service, deployment } = scopeFilters;
const integer = { type: 'integer' } as const;
const number = { type: 'number' } as const;
const durations = nullable(
  object(
    { mean: number, p50: number, p95: number, p99: number, max: number },
    {
      title: 'Durations',
      description: 'Milliseconds; percentiles are at most a tenth too high. Null: no requests.',
    },
  ),
);
const figures = object(
  {
    service: { type: 'string' },
    deployment: { type: 'string' },
    environment: { type: 'string' },
    invocations: integer,
    errors: { ...integer, description: '5xx, and what Gantry itself answered with an error.' },
    coldStarts: { ...integer, description: 'Requests that waited for a start or a thaw.' },
    latency: durations,
    queueTime: durations,
    cpuMs: { ...integer, description: 'CPU time of its instances while they were busy.' },
    maxConcurrency: { ...integer, description: 'Most requests at once, over all its instances.' },
    now: object(
      {
        concurrency: { ...integer, description: 'Requests under way.' },
        instances: {
          type: 'object',
          additionalProperties: integer,
          description: 'How many there are, by state.',
        },
        memoryBytes: { ...integer, description: 'Of its instances, as last seen.' },
      },
      { title: 'FunctionFiguresNow' },
    ),
  },
  { title: 'FunctionFigures' },
);

/** How functions do. */
export const functionMetricRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: `${functionsPath}/metrics`,
    operationId: 'getFunctionMetrics',
    tag,
    summary: 'Figures of services and deployments over the last minutes, and what is true now.',
    description:
      'Kept in memory, since the start of the server, for the 1000 services of deployments over all projects that were used last. The same figures are on /metrics for Prometheus.',
    access: readRecords,
    query: object(
      {
        ...{ service, deployment },
        minutes: {
          ...{ type: 'integer', minimum: 1, maximum: mostMinutes, default: mostMinutes },
          description: `1 to ${mostMinutes}.`,
        },
      },
      { optional: ['service', 'deployment', 'minutes'] },
    ),
    replies: {
      200: {
        description: 'Those that were used last first.',
        schema: object({ since: time, items: list(figures) }, { title: 'FunctionMetrics' }),
      },
    },
    async handle(call) {
      const { services, project, query } = call;
      const minutes = (query.minutes as number | undefined) ?? mostMinutes;
      const all = services.records?.figures(project.id, minutes) ?? [];
      const scope = scopeOf(call);
      return ok({
        since: toTime(services.clock.now() - minutes * 60_000),
        items: all.filter((one) => isWithin(scope, one)).map(viewOf),
      });
    },
  },
];

function viewOf(figures: ServiceFigures) {
  return {
    ...{ service: figures.service, deployment: figures.deploymentId },
    ...{ environment: figures.environment, invocations: figures.requests, errors: figures.errors },
    ...{ coldStarts: figures.coldStarts, latency: figures.latency ?? null },
    ...{ queueTime: figures.queue ?? null, cpuMs: figures.cpu },
    maxConcurrency: figures.mostConcurrent,
    now: {
      concurrency: figures.now.inFlight,
      instances: figures.now.instances,
      memoryBytes: figures.now.memory,
    },
  };
}
