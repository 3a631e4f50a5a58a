import { setImmediate as turn } from 'node:timers/promises';
import { knowsTeam, mayAct } from '../../../auth/authorizer.ts';
import { toCloudEventJson } from '../../../events/envelope.ts';
import { refuse } from '../../../oci/errors.ts';
import type { EventRow } from '../../../ports/events.ts';
import { allEventTypes, type EventType } from '../../../ports/outbox.ts';
import { absent, findTeam } from '../access.ts';
import { type EventFilter, maySee, wants } from '../event-access.ts';
import { streamEvents, usualStreamTimes } from '../event-stream.ts';
import { limitOf, pageQuery } from '../paging.ts';
import { type Call, ok, type Route } from '../route.ts';
import { list, object, oneOf, page, type Schema, slug, time } from '../schema.ts';

export const eventType: Schema = oneOf(...allEventTypes);

export const cloudEvent = object(
  {
    specversion: { type: 'string', const: '1.0' },
    id: { type: 'string' },
    source: { type: 'string', examples: ['urn:gantry:team:team_019a3c5e7f217b609d435f0c86a1e24b'] },
    type: eventType,
    subject: {
      type: 'string',
      description: '`team/project/repository` as it was named then, or the id of what it is about.',
    },
    time,
    datacontenttype: { type: 'string', const: 'application/json' },
    data: { type: 'object', description: 'By type.' },
    partitionkey: {
      type: 'string',
      description: "The stream: a repository's id, or the team's for what concerns none.",
    },
    sequence: {
      type: 'string',
      description: 'Counts within the stream, without gaps; 16 digits, so that texts compare.',
    },
    position: {
      type: 'string',
      description: 'The place among all events of this installation; the id in the live stream.',
    },
  },
  { title: 'CloudEvent', description: 'CloudEvents 1.0, JSON format.' },
);

const types: Schema = list(eventType, {
  uniqueItems: true,
  maxItems: 20,
  description: 'Only these types.',
});
const project: Schema = { ...slug, description: 'Only this project of the team, by its slug.' };

/** Rows of a team that are looked at for one page; where few are wanted, pages are short. */
const mostScanned = 5000;
const chunk = 500;

export const eventRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/events',
    operationId: 'streamEvents',
    tag: 'Events',
    summary: 'Follows events as they happen (Server-sent events).',
    description:
      'Each message is a CloudEvent; its id is the position, from which Last-Event-ID (or lastEventId in the query) goes on. Begins with what happens from now on, or behind the given id. A message "gap" says that what lay between is no longer kept. Ends when the credentials end.',
    access: { at: 'signed-in' },
    query: object(
      {
        team: { type: 'string', maxLength: 255, description: 'Only this team, by its slug or id.' },
        project: { ...project, description: 'Only this project; needs team.' },
        types,
        lastEventId: {
          type: 'string',
          maxLength: 20,
          description: 'As the header Last-Event-ID, which goes first. 0: all that is kept.',
        },
      },
      { optional: ['team', 'project', 'types', 'lastEventId'] },
    ),
    replies: {
      200: {
        description: 'The stream.',
        mediaType: 'text/event-stream',
        schema: { type: 'string' },
      },
    },
    refusals: [404],
    async handle(call) {
      const filter = await filterOf(call);
      const after = lastIdOf(call);
      if (call.req.method === 'HEAD') {
        call.res.writeHead(200, { 'Content-Type': 'text/event-stream; charset=utf-8' }).end();
        return undefined;
      }
      await streamEvents(call, { filter, after, times: usualStreamTimes });
      return undefined;
    },
  },
  {
    method: 'GET',
    path: '/teams/{team}/events',
    operationId: 'listEvents',
    tag: 'Events',
    summary:
      'The events of a team that the caller may see, the newest first unless asked otherwise.',
    description:
      'A page may hold fewer items than asked for, or none, and still have a next one: go on until next is null.',
    access: { at: 'team', action: 'known' },
    query: pageQuery({
      project,
      types,
      order: {
        ...oneOf('newest', 'oldest'),
        description: 'Which come first: newest (unless given) or oldest.',
      },
    }),
    replies: { 200: { description: 'A page.', schema: page(cloudEvent, 'EventPage') } },
    handle: listEvents,
  },
];

async function listEvents(call: Call) {
  const { services, identity, team, query } = call;
  const filter: EventFilter = {
    teamId: team.id,
    projectId: await projectIdOf(call, team.slug),
    types: typesOf(query),
  };
  const direction = query.order === 'oldest' ? 'after' : 'before';
  const scope = `events:${team.id}:${direction}`;
  const limit = limitOf(call);
  const [place] = services.cursors.read(scope, query.cursor) ?? [];
  let position = Number(place ?? (direction === 'after' ? 0 : Number.MAX_SAFE_INTEGER));
  const found: EventRow[] = [];
  let scanned = 0;
  let more = true;
  while (more && found.length < limit && scanned < mostScanned) {
    const rows = await services.metadata.events.ofTeam(team.id, position, direction, chunk);
    more = rows.length === chunk;
    for (const row of rows) {
      if (found.length === limit) {
        more = true;
        break;
      }
      position = row.position;
      if (wants(filter, row) && maySee(identity, row)) found.push(row);
    }
    scanned += rows.length;
    await turn();
  }
  return ok({
    items: found.map((row) => JSON.parse(toCloudEventJson(row)) as unknown),
    next: more ? services.cursors.sign(scope, [position]) : null,
  });
}

async function filterOf(call: Call): Promise<EventFilter> {
  const { query, identity, services } = call;
  const named = query.team as string | undefined;
  if (named === undefined) {
    if (query.project !== undefined) {
      throw refuse('invalid', '"project" in the query needs "team".', 'Name its team, too.');
    }
    return { teamId: undefined, projectId: undefined, types: typesOf(query) };
  }
  const team = await findTeam(services, named);
  if (!team || !knowsTeam(identity, team.id)) throw absent(identity);
  const projectId = await projectIdOf(call, team.slug);
  return { teamId: team.id, projectId, types: typesOf(query) };
}

async function projectIdOf(
  { query, identity, services }: Call,
  team: string,
): Promise<string | undefined> {
  const named = query.project as string | undefined;
  if (named === undefined) return undefined;
  const found = await services.metadata.projects.findBySlugs(team, named);
  const place =
    found && ({ teamId: found.teamId, projectId: found.id, visibility: 'private' } as const);
  if (!place || !mayAct(identity, place, 'pull')) throw absent(identity);
  return place.projectId;
}

function typesOf(query: Call['query']): Set<EventType> | undefined {
  const given = query.types as EventType[] | undefined;
  return given && given.length > 0 ? new Set(given) : undefined;
}

function lastIdOf({ req, query }: Call): number | undefined {
  const given = req.headers['last-event-id'] ?? query.lastEventId;
  if (given === undefined || given === '') return undefined;
  const position = Number(given);
  if (/^\d{1,15}$/.test(String(given))) return position;
  throw refuse(
    'invalid',
    'Last-Event-ID must be the id of an event: a whole number.',
    'Send the id of the last event that came, or leave it out.',
  );
}
