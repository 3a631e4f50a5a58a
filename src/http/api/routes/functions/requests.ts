import { refuse } from '../../../../oci/errors.ts';
import type { RequestRecord } from '../../../../ports/commands-functions.ts';
import { limitOf, pageQuery } from '../../paging.ts';
import { ok, type Route } from '../../route.ts';
import { list, nullable, object, page, type Schema, text, time, toTime } from '../../schema.ts';
import { functionLine, lineView } from './logs.ts';
import {
  readRecords as access,
  functionsPath,
  keyOf,
  scopeFilters,
  scopeOf,
  recordTag as tag,
} from './scope.ts';

const milliseconds = (description: string): Schema => ({
  type: 'number',
  description: `${description} Milliseconds.`,
});
const fields = {
  id: { type: 'string', description: 'As x-gantry-id told it to the client.' },
  at: time,
  deployment: { type: 'string' },
  service: { type: 'string' },
  instance: nullable({ type: 'string', description: 'Null where it came to none.' }),
  method: { type: 'string' },
  host: { type: 'string' },
  path: { type: 'string', description: 'Without the query, which is never kept.' },
  status: { type: 'integer' },
  error: nullable({ type: 'string', description: 'Why Gantry itself answered, where it did.' }),
  cold: { type: 'boolean', description: 'It waited for a start or a thaw.' },
  queueMs: milliseconds('It waited for an instance.'),
  firstByteMs: milliseconds('To the first byte of the answer.'),
  totalMs: milliseconds('To the end of the answer.'),
  requestBytes: { type: 'integer' },
  responseBytes: { type: 'integer' },
} as const satisfies Record<string, Schema>;
const functionRequest = object(fields, { title: 'FunctionRequest' });
const withLines = object(
  {
    ...fields,
    lines: list(functionLine, {
      description: 'What was written while it was in flight, oldest first: the first 1000 lines.',
    }),
    moreLines: { type: 'boolean' },
  },
  { title: 'FunctionRequestWithLines' },
);
const mostLines = 1000;

/** What functions were asked. */
export const functionRequestRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: `${functionsPath}/requests`,
    operationId: 'listFunctionRequests',
    ...{ tag, access },
    summary: 'Requests to functions that have ended, the newest first.',
    query: pageQuery(scopeFilters),
    replies: { 200: { description: 'A page.', schema: page(functionRequest, 'FunctionRequests') } },
    async handle(call) {
      const { cursors, metadata } = call.services;
      const scope = scopeOf(call);
      const key = `function-requests:${keyOf(scope)}`;
      const [before] = cursors.read(key, call.query.cursor) ?? [];
      const limit = limitOf(call);
      const { functionRecords } = metadata;
      const rows = await functionRecords.requests(scope, before as string | undefined, limit + 1);
      const { items, next } = cursors.page(key, rows, limit, (row) => [row.id]);
      return ok({ items: items.map(viewOf), next });
    },
  },
  {
    method: 'GET',
    path: `${functionsPath}/requests/{request}`,
    operationId: 'getFunctionRequest',
    ...{ tag, access },
    summary: 'A request with what was written while it was in flight.',
    params: { request: text(64, { description: 'Its id.' }) },
    replies: { 200: { description: 'The request.', schema: withLines } },
    async handle({ services, project, params }) {
      const { functionRecords } = services.metadata;
      const record = await functionRecords.request(project.id, params.request!);
      if (!record)
        throw refuse('not-found', 'There is no such request, or it is not kept any more.');
      const scope = { projectId: project.id, requestId: record.id };
      const lines =
        record.instanceId === undefined
          ? []
          : await functionRecords.lines(scope, { after: '' }, mostLines + 1);
      return ok({
        ...viewOf(record),
        lines: lines.slice(0, mostLines).map(lineView),
        moreLines: lines.length > mostLines,
      });
    },
  },
];

function viewOf(record: RequestRecord) {
  return {
    ...{ id: record.id, at: toTime(record.at), deployment: record.deploymentId },
    ...{ service: record.service, instance: record.instanceId ?? null, method: record.method },
    ...{ host: record.host, path: record.path, status: record.status },
    ...{ error: record.error ?? null, cold: record.cold, queueMs: record.queueMs },
    ...{ firstByteMs: record.firstByteMs, totalMs: record.totalMs },
    ...{ requestBytes: record.requestBytes, responseBytes: record.responseBytes },
  };
}
