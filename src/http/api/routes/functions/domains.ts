import { refuse } from '../../../../oci/errors.ts';
import type { FunctionEnvironment, FunctionHost } from '../../../../ports/functions.ts';
import { productionName } from '../../../../scheduler/reserve.ts';
import { type Call, noContent, ok, type Route } from '../../route.ts';
import { list, nullable, object, oneOf, text } from '../../schema.ts';
import { previewName } from './deployments.ts';
import { serviceName } from './services.ts';
import { base, sees, urlOf } from './views.ts';

const host = object(
  {
    host: { type: 'string', description: 'A label under the functions domain, or a whole name.' },
    custom: { type: 'boolean' },
    url: nullable({ type: 'string' }),
    deployment: nullable({ type: 'string', description: 'Whose own address it is.' }),
    environment: nullable(oneOf('production', 'preview')),
    name: nullable({ type: 'string' }),
    service: nullable({
      type: 'string',
      description: 'That it leads to where there are no rewrites.',
    }),
  },
  { title: 'FunctionHost' },
);
const params = {
  domain: text(253, {
    pattern:
      '^(?=.{4,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]$',
    description: 'A whole name, in lower case: `shop.example.com`.',
  }),
} as const;
/** Names that lead elsewhere from every machine. */
const reserved = ['localhost', 'local', 'internal', 'invalid', 'test', 'arpa', 'onion'];
const access = { at: 'project', action: 'manage' } as const;
const tag = 'Deployments';

export const domainRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: `${base}/hosts`,
    operationId: 'listHosts',
    tag,
    summary: 'Every name that leads to functions of the project.',
    access: sees,
    replies: {
      200: {
        description: 'All of them, by name.',
        schema: object({ items: list(host) }, { title: 'FunctionHosts' }),
      },
    },
    async handle(call) {
      const hosts = await call.services.metadata.deployments.hosts(call.project.id);
      return ok({ items: hosts.map((one) => viewOf(call, one)) });
    },
  },
  {
    method: 'PUT',
    path: `${base}/domains/{domain}`,
    operationId: 'putDomain',
    tag,
    summary: 'Has a domain of your own lead to production, or to a preview.',
    description:
      'Point the name at this installation by DNS, and have the proxy in front present its certificate. A domain belongs to one project at a time.',
    access,
    params,
    body: object(
      { environment: oneOf('production', 'preview'), name: previewName, service: serviceName },
      { optional: ['environment', 'name', 'service'], title: 'DomainTarget' },
    ),
    replies: { 200: { description: 'It leads there.', schema: host } },
    refusals: [409],
    handle: putDomain,
  },
  {
    method: 'DELETE',
    path: `${base}/domains/{domain}`,
    operationId: 'deleteDomain',
    tag,
    summary: 'Has a domain lead nowhere.',
    access,
    params,
    replies: { 204: { description: 'It is free.' } },
    async handle({ services, project, params }) {
      const args = { host: params.domain!, projectId: project.id };
      await services.metadata.writer.run('RemoveCustomDomain', args);
      services.functions?.changed({});
      return noContent;
    },
  },
];

async function putDomain(call: Call) {
  const { services, project } = call;
  const domain = call.params.domain!;
  const given = call.body as {
    environment?: FunctionEnvironment;
    name?: string;
    service?: string;
  };
  const { environment = 'production', service } = given;
  const name = environment === 'production' ? productionName : given.name;
  if (name === undefined) throw refuse('invalid', 'A preview needs a "name".', 'Add its tag.');
  requireUsable(call, domain);
  const { deployments, writer } = services.metadata;
  const held = await deployments.findHost(domain);
  // The same again, or elsewhere in the same project: what was there goes first.
  if (held?.projectId === project.id && held.custom) {
    await writer.run('RemoveCustomDomain', { host: domain, projectId: project.id });
  }
  await writer.run('AddCustomDomain', {
    ...{ host: domain, projectId: project.id, environment, name, service },
    now: services.clock.now(),
  });
  services.functions?.changed({});
  return ok(viewOf(call, (await deployments.findHost(domain))!));
}

/** A name of the installation, or under the functions domain, is nobody's own. */
function requireUsable({ services }: Call, domain: string): void {
  const own = services.functions?.ownNames() ?? [];
  const below = services.functions ? [services.functions.domain] : [];
  const isUnder = (parent: string) => domain === parent || domain.endsWith(`.${parent}`);
  // The name of the registry, and whatever it could be taken for.
  if (own.some((name) => domain === name || name.endsWith(`.${domain}`))) throw notYours(domain);
  if ([...below, ...reserved].some(isUnder)) throw notYours(domain);
}

function notYours(domain: string) {
  return refuse(
    'conflict',
    `"${domain}" cannot lead to a function: it is a name of this installation, or of none.`,
    'Use a name of a domain of your own.',
  );
}

function viewOf(call: Call, row: FunctionHost) {
  const { host, custom, deploymentId, environment, service } = row;
  return {
    ...{ host, custom, url: urlOf(call, host), deployment: deploymentId ?? null },
    environment: environment?.environment ?? null,
    name: environment?.name ?? null,
    service: service ?? null,
  };
}
