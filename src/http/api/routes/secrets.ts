import { refuse } from '../../../oci/errors.ts';
import { type Secret, secretContext } from '../../../ports/secrets.ts';
import { newId } from '../../../projects/ids.ts';
import { limitOf, pageQuery } from '../paging.ts';
import { type Call, noContent, ok, type Route } from '../route.ts';
import { object, page, text, time, toTime } from '../schema.ts';

/** What an environment variable may be called (POSIX, "Environment Variables"). */
export const variableName = text(255, {
  pattern: '^[A-Za-z_][A-Za-z0-9_]*$',
  description: 'A letter or _, then letters, digits and _; at most 255 in all.',
  examples: ['DATABASE_URL'],
});

/** Characters of a value. */
export const longestValue = 65_536;

const secret = object(
  {
    name: { type: 'string' },
    version: { type: 'integer', description: 'One more with each value.' },
    createdAt: time,
    updatedAt: time,
    updatedBy: { type: 'string' },
  },
  { title: 'Secret', description: 'Its value is never shown.' },
);
const path = '/teams/{team}/projects/{project}/secrets';
const access = { at: 'project', action: 'functions', or: 'manage' } as const;
const tag = 'Secrets';
const params = { name: variableName } as const;

/** Values go in, sealed, and never come back: neither here nor in logs, audit or errors. */
export const secretRoutes: readonly Route[] = [
  {
    method: 'GET',
    path,
    operationId: 'listSecrets',
    tag,
    summary: "Names and versions of a project's secrets, by name.",
    access,
    query: pageQuery(),
    replies: { 200: { description: 'A page of them.', schema: page(secret, 'Secrets') } },
    async handle(call) {
      const { cursors, metadata } = call.services;
      const scope = `secrets:${call.project.id}`;
      const [after] = cursors.read(scope, call.query.cursor) ?? [];
      const limit = limitOf(call);
      const { secrets } = metadata;
      const rows = await secrets.page(call.project.id, after as string | undefined, limit + 1);
      const { items, next } = cursors.page(scope, rows, limit, (row) => [row.name]);
      return ok({ items: items.map(viewOf), next });
    },
  },
  {
    method: 'GET',
    path: `${path}/{name}`,
    operationId: 'getSecret',
    tag,
    summary: 'Name and version of a secret.',
    access,
    params,
    replies: { 200: { description: 'What may be told of it.', schema: secret } },
    async handle(call) {
      return ok(viewOf(await secretOf(call)));
    },
  },
  {
    method: 'PUT',
    path: `${path}/{name}`,
    operationId: 'putSecret',
    tag,
    summary: 'Makes a secret, or gives it another value.',
    access,
    params,
    body: object({ value: text(longestValue) }, { title: 'SecretValue' }),
    replies: {
      200: { description: 'It has the new value.', schema: secret },
      201: { description: 'It is made.', schema: secret },
    },
    async handle(call) {
      const { services, project, identity } = call;
      const name = call.params.name!;
      const { value } = call.body as { value: string };
      const { created } = await services.metadata.writer.run('PutSecret', {
        ...{ id: newId('sec'), projectId: project.id, name, actor: identity.actor },
        sealed: services.sealer.seal(value, secretContext(project.id, name)),
        now: services.clock.now(),
      });
      services.functions?.environmentChanged(project.id);
      return { status: created ? 201 : 200, body: viewOf(await secretOf(call)) };
    },
  },
  {
    method: 'DELETE',
    path: `${path}/{name}`,
    operationId: 'deleteSecret',
    tag,
    summary: 'Deletes a secret.',
    access,
    params,
    replies: { 204: { description: 'It is gone.' } },
    async handle({ services, project, params }) {
      const place = { projectId: project.id, name: params.name! };
      await services.metadata.writer.run('DeleteSecret', place);
      services.functions?.environmentChanged(project.id);
      return noContent;
    },
  },
];

async function secretOf({ services, project, params }: Call): Promise<Secret> {
  const found = await services.metadata.secrets.find(project.id, params.name!);
  if (found) return found;
  throw refuse('not-found', 'The project has no such secret.');
}

function viewOf({ name, version, createdAt, updatedAt, updatedBy }: Secret) {
  return {
    ...{ name, version, updatedBy },
    createdAt: toTime(createdAt),
    updatedAt: toTime(updatedAt),
  };
}
