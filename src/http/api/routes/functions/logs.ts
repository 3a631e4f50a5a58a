import { setImmediate as turn } from 'node:timers/promises';
import { refuse } from '../../../../oci/errors.ts';
import type { FunctionLogLine } from '../../../../ports/commands-functions.ts';
import type { RecordPlace, RecordScope } from '../../../../ports/function-records.ts';
import { usualStreamTimes } from '../../event-stream.ts';
import { streamLines } from '../../function-line-stream.ts';
import { limitOf, pageQuery } from '../../paging.ts';
import { type Call, ok, type Route } from '../../route.ts';
import { list, object, oneOf, page, time, toTime } from '../../schema.ts';
import {
  readRecords as access,
  functionsPath,
  isWithin,
  keyOf,
  narrowest,
  requestFilter,
  scopeFilters,
  scopeOf,
  recordTag as tag,
} from './scope.ts';

export const functionLine = object(
  {
    id: { type: 'string', description: 'Grows from line to line; the id in the live tail.' },
    at: time,
    deployment: { type: 'string' },
    service: { type: 'string' },
    instance: { type: 'string' },
    stream: { ...oneOf('stdout', 'stderr', 'system'), description: 'system: said by Gantry.' },
    text: { type: 'string', description: 'Cut at 16 KiB, with a mark.' },
    requests: list(
      { type: 'string' },
      { description: 'Ids of the requests that were in flight on the instance.' },
    ),
  },
  { title: 'FunctionLine' },
);

const filters = { ...scopeFilters, request: requestFilter };
/** Lines that are looked at for one page of a request that is still under way. */
const mostScanned = 5000;
const chunk = 500;

/** What functions write. */
export const functionLogRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: `${functionsPath}/logs`,
    operationId: 'listFunctionLines',
    ...{ tag, access },
    summary: 'Lines that functions wrote, the newest first.',
    description:
      'A page may hold fewer items than asked for, or none, and still have a next one: go on until next is null.',
    query: pageQuery(filters),
    replies: { 200: { description: 'A page.', schema: page(functionLine, 'FunctionLines') } },
    handle: listLines,
  },
  {
    method: 'GET',
    path: `${functionsPath}/logs/stream`,
    operationId: 'streamFunctionLines',
    ...{ tag, access },
    summary: 'Follows lines as functions write them (Server-sent events).',
    description:
      'Each message is a FunctionLine; its id is that from which Last-Event-ID (or lastEventId in the query) goes on. Begins with what is written from now on, or with the last lines where tail asks for some, or behind the given id. Ends when the credentials end.',
    query: object(
      {
        ...filters,
        tail: {
          type: 'integer',
          minimum: 0,
          maximum: 1000,
          default: 0,
          description: 'So many of the last lines come first: 0 to 1000.',
        },
        lastEventId: {
          type: 'string',
          maxLength: 64,
          description: 'As the header Last-Event-ID, which goes first.',
        },
      },
      { optional: [...Object.keys(filters), 'tail', 'lastEventId'] },
    ),
    replies: {
      200: {
        description: 'The stream.',
        mediaType: 'text/event-stream',
        schema: { type: 'string' },
      },
    },
    async handle(call) {
      const after = lastIdOf(call);
      if (call.req.method === 'HEAD') {
        call.res.writeHead(200, { 'Content-Type': 'text/event-stream; charset=utf-8' }).end();
        return undefined;
      }
      const tail = (call.query.tail as number | undefined) ?? 0;
      await streamLines(call, { after, tail, times: usualStreamTimes, view: lineView });
      return undefined;
    },
  },
];

async function listLines(call: Call) {
  const { cursors, metadata } = call.services;
  const scope = scopeOf(call);
  const requestId = call.query.request as string | undefined;
  const key = `function-lines:${keyOf(scope, requestId)}`;
  const [given] = cursors.read(key, call.query.cursor) ?? [];
  const before = given as string | undefined;
  const limit = limitOf(call);
  if (requestId !== undefined) {
    const known = await metadata.functionRecords.request(scope.projectId, requestId);
    if (!known) return ok(await linesUnderWay(call, scope, requestId, before, key));
  }
  const rows = await metadata.functionRecords.lines({ ...scope, requestId }, { before }, limit + 1);
  const { items, next } = cursors.page(key, rows, limit, (row) => [row.id]);
  return ok({ items: items.map(lineView), next });
}

/** Of a request that has not ended: where it runs is not known yet, so lines are looked through, a part at a time. */
async function linesUnderWay(
  call: Call,
  scope: RecordScope,
  requestId: string,
  before: string | undefined,
  key: string,
) {
  const { cursors, metadata } = call.services;
  const limit = limitOf(call);
  const began = `log_${requestId.slice(4, 16)}`;
  const found: FunctionLogLine[] = [];
  let place: Extract<RecordPlace, { before: unknown }> = { before };
  let more = true;
  for (let scanned = 0; more && found.length < limit && scanned < mostScanned; scanned += chunk) {
    const rows = await metadata.functionRecords.lines(narrowest(scope), place, chunk);
    more = rows.length === chunk;
    for (const row of rows) {
      if (found.length === limit || row.id < began) {
        more = found.length === limit;
        break;
      }
      place = { before: row.id };
      if (isWithin(scope, row) && row.requestIds.includes(requestId)) found.push(row);
    }
    await turn();
  }
  const next = more && place.before !== undefined ? cursors.sign(key, [place.before]) : null;
  return { items: found.map(lineView), next };
}

export function lineView(line: FunctionLogLine) {
  return {
    ...{ id: line.id, at: toTime(line.at), deployment: line.deploymentId, service: line.service },
    ...{ instance: line.instanceId, stream: line.stream, text: line.text },
    requests: line.requestIds,
  };
}

function lastIdOf({ req, query }: Call): string | undefined {
  const given = req.headers['last-event-id'] ?? query.lastEventId;
  if (given === undefined || given === '') return undefined;
  if (/^log_[0-9a-f]{12,32}$/.test(String(given))) return String(given);
  throw refuse(
    'invalid',
    'Last-Event-ID must be the id of a line: log_ and hexadecimal digits.',
    'Send the id of the last line that came, or leave it out.',
  );
}
