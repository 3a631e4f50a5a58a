import { setImmediate as turn } from 'node:timers/promises';
import type { AuditPlace, AuditRow } from '../../../ports/audit.ts';
import { limitOf, pageQuery } from '../paging.ts';
import { ok } from '../reply.ts';
import type { Access, Call, Route } from '../route.ts';
import { nullable, object, page, type Schema, text, time, toTime } from '../schema.ts';
import { writeOut } from '../write-out.ts';

const auditRecord = object(
  {
    id: { type: 'string' },
    at: time,
    actorId: { type: 'string', description: 'Of the token, the account or the JWT.' },
    actor: { type: 'string', description: 'Its name, as it was.' },
    actorKind: { type: 'string' },
    address: nullable({ type: 'string', description: 'Where the request came from.' }),
    action: {
      type: 'string',
      description: 'login, manifest.put, …, or the operationId of a change by this API.',
    },
    target: nullable({ type: 'string' }),
    teamId: nullable({ type: 'string' }),
    projectId: nullable({ type: 'string' }),
    result: { type: 'string', description: 'ok, or the kind of the refusal.' },
    reason: nullable({ type: 'string' }),
    requestId: nullable({ type: 'string' }),
  },
  { title: 'AuditRecord' },
);

const filters = {
  actor: text(200, { description: 'Only of this actor: its id or its name.' }),
  action: text(100, { description: 'Only this action.' }),
  result: text(64, { description: 'ok, refused (all that is not ok), or a kind of refusal.' }),
  since: { ...time, description: 'Not before this moment.' },
  until: { ...time, description: 'Before this moment.' },
} satisfies Record<string, Schema>;
const filterQuery = object(filters, { optional: Object.keys(filters) });

/** Rows that are looked at for one page; where few match, pages are short. */
const mostScanned = 10_000;
const chunk = 500;
/** How long the client of an export may take nothing. */
const patienceMs = 30_000;

const tag = 'Audit';
const shortPages =
  'A page may hold fewer items than asked for, or none, and still have a next one: go on until next is null.';
const places: readonly { path: string; access: Access; of: string; suffix: string }[] = [
  {
    path: '/teams/{team}/audit',
    access: { at: 'team', action: 'manage' },
    ...{ of: 'in a team', suffix: '' },
  },
  {
    path: '/audit',
    access: { at: 'operator' },
    ...{ of: 'in the whole installation', suffix: 'OfAll' },
  },
];

/** Who did what, or was refused it: of a team, and for operators of everything. */
export const auditRoutes: readonly Route[] = places.flatMap(
  ({ path, access, of, suffix }): Route[] => [
    {
      ...{ method: 'GET', path, operationId: `listAudit${suffix}`, tag, access },
      summary: `What was done ${of}, and what was refused, the newest first.`,
      description: shortPages,
      query: pageQuery(filters),
      replies: { 200: { description: 'A page.', schema: page(auditRecord, 'AuditPage') } },
      handle: listAudit,
    },
    {
      ...{
        method: 'GET',
        path: `${path}/export`,
        operationId: `exportAudit${suffix}`,
        tag,
        access,
      },
      summary: `What was done ${of}, as JSON Lines, the newest first.`,
      query: filterQuery,
      replies: {
        200: {
          description: 'A record a line.',
          mediaType: 'application/jsonl',
          schema: { type: 'string' },
        },
      },
      handle: exportAudit,
    },
  ],
);

async function listAudit(call: Call) {
  const { services, query } = call;
  const scope = `audit:${teamOf(call) ?? ''}`;
  const limit = limitOf(call);
  const given = services.cursors.read(scope, query.cursor);
  let place = given ? { at: Number(given[0]), id: String(given[1]) } : startOf(query);
  const found: AuditRow[] = [];
  let scanned = 0;
  let more = true;
  while (more && found.length < limit && scanned < mostScanned) {
    const rows = await read(call, place);
    more = rows.length === chunk;
    for (const row of rows) {
      if (found.length === limit) {
        more = true;
        break;
      }
      place = row;
      if (matches(row, query)) found.push(row);
    }
    scanned += rows.length;
    await turn();
  }
  return ok({
    items: found.map(view),
    next: more && place ? services.cursors.sign(scope, [place.at, place.id]) : null,
  });
}

/** Reads on as the client takes it, so that a long log needs no more memory than a short one. */
async function exportAudit(call: Call): Promise<undefined> {
  const { req, res, query } = call;
  const gone = new AbortController();
  res.once('close', () => gone.abort());
  res.writeHead(200, {
    'Content-Type': 'application/jsonl',
    'Content-Disposition': 'attachment; filename="audit.jsonl"',
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
  });
  let place = startOf(query);
  for (let more = req.method !== 'HEAD'; more && !gone.signal.aborted; ) {
    const rows = await read(call, place);
    more = rows.length === chunk;
    place = rows.at(-1);
    let lines = '';
    for (const row of rows) if (matches(row, query)) lines += `${JSON.stringify(view(row))}\n`;
    if (lines !== '') await writeOut(res, lines, patienceMs, gone.signal);
    await turn();
  }
  res.end();
  return undefined;
}

/** There is none where the path names none: then it is everything. */
function teamOf({ team }: Partial<Pick<Call, 'team'>>): string | undefined {
  return team?.id;
}

function read(call: Call, before: AuditPlace | undefined) {
  const since = call.query.since === undefined ? 0 : Date.parse(String(call.query.since));
  return call.services.metadata.audit.list(teamOf(call), before, since, chunk);
}

function startOf({ until }: Call['query']): AuditPlace | undefined {
  return until === undefined ? undefined : { at: Date.parse(String(until)), id: '' };
}

function matches(row: AuditRow, { actor, action, result }: Call['query']): boolean {
  return (
    (actor === undefined || actor === row.actorId || actor === row.actor) &&
    (action === undefined || action === row.action) &&
    (result === undefined ||
      result === (row.result === 'ok' ? 'ok' : 'refused') ||
      result === row.result)
  );
}

function view(row: AuditRow) {
  return {
    ...{ id: row.id, at: toTime(row.at), actorId: row.actorId, actor: row.actor },
    actorKind: row.actorKind,
    address: row.address ?? null,
    action: row.action,
    target: row.target ?? null,
    teamId: row.teamId ?? null,
    projectId: row.projectId ?? null,
    result: row.result,
    reason: row.reason ?? null,
    requestId: row.requestId ?? null,
  };
}
