import { randomBytes } from 'node:crypto';
import { refuse } from '../../../../oci/errors.ts';
import { type DomainClaim, domainStates } from '../../../../ports/domains.ts';
import type { FunctionEnvironment, FunctionHost } from '../../../../ports/functions.ts';
import { challengeOf } from '../../../../scheduler/domains/domain-proof.ts';
import { productionName } from '../../../../scheduler/reserve.ts';
import { type Call, noContent, ok, type Route } from '../../route.ts';
import { list, nullable, object, oneOf, text, time, toTime } from '../../schema.ts';
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
const domainView = object(
  {
    host: { type: 'string' },
    url: nullable({ type: 'string' }),
    environment: oneOf('production', 'preview'),
    name: { type: 'string' },
    service: nullable({ type: 'string' }),
    state: {
      ...oneOf(...domainStates),
      description: 'pending: it leads nowhere until its record is found; failed: nor does it now.',
    },
    message: nullable({ type: 'string', description: 'What the last look at DNS found missing.' }),
    record: nullable(
      object(
        { type: oneOf('TXT'), name: { type: 'string' }, value: { type: 'string' } },
        { title: 'DomainRecord', description: 'To be put into DNS; null: no proof is needed.' },
      ),
    ),
    checkedAt: nullable(time),
  },
  { title: 'CustomDomain' },
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
    method: 'GET',
    path: `${base}/domains`,
    operationId: 'listDomains',
    tag,
    summary: 'Domains of your own, proven or not.',
    access: sees,
    replies: {
      200: {
        description: 'All of them, by name.',
        schema: object({ items: list(domainView) }, { title: 'CustomDomains' }),
      },
    },
    async handle(call) {
      const claims = await call.services.metadata.domains.list(call.project.id);
      return ok({ items: claims.map((claim) => viewDomain(call, claim)) });
    },
  },
  {
    method: 'PUT',
    path: `${base}/domains/{domain}`,
    operationId: 'putDomain',
    tag,
    summary: 'Has a domain of your own lead to production, or to a preview.',
    description:
      'It leads there once DNS proves that it is yours: put the TXT record of the answer there. DNS is asked at once, then every minute for three days, and whenever `/verify` is called. Point the name at this installation, and have the proxy in front present its certificate. A domain belongs to one project at a time.',
    access,
    params,
    body: object(
      { environment: oneOf('production', 'preview'), name: previewName, service: serviceName },
      { optional: ['environment', 'name', 'service'], title: 'DomainTarget' },
    ),
    replies: { 200: { description: 'The domain, verified or not.', schema: domainView } },
    refusals: [409],
    handle: putDomain,
  },
  {
    method: 'POST',
    path: `${base}/domains/{domain}/verify`,
    operationId: 'verifyDomain',
    tag,
    summary: 'Asks DNS now whether a domain is yours.',
    access,
    params,
    replies: { 200: { description: 'The domain, verified or not.', schema: domainView } },
    async handle(call) {
      const { services, project } = call;
      const claim = await services.metadata.domains.find(project.id, call.params.domain!);
      if (!claim) throw noSuchDomain();
      return ok(viewDomain(call, await checked(call, claim)));
    },
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
  const claim = await services.metadata.writer.run('ClaimDomain', {
    ...{ host: domain, projectId: project.id, environment, name, service },
    token: randomBytes(16).toString('hex'),
    trusted: services.functions?.domains.isTrusted(domain) ?? false,
    most: mostUnproven,
    now: services.clock.now(),
  });
  if (claim.state === 'verified') services.functions?.changed({});
  const found = claim.state === 'verified' ? claim : await checked(call, claim);
  return ok(viewDomain(call, found));
}

const mostUnproven = 100;

/** Asks DNS; one that cannot ask leaves it to the replica that does. */
async function checked({ services }: Call, claim: DomainClaim): Promise<DomainClaim> {
  const { functions } = services;
  if (!functions) return claim;
  const found = await functions.domains.check(claim);
  if (!found) throw noSuchDomain();
  return found;
}

function noSuchDomain() {
  return refuse(
    'not-found',
    'The project has no such domain.',
    'PUT it first; GET …/domains lists those that there are.',
  );
}

function viewDomain(call: Call, claim: DomainClaim) {
  const { host, environment, name, service, state, message, checkedAt, token } = claim;
  const needed = state !== 'verified' || checkedAt !== undefined;
  return {
    ...{ host, url: urlOf(call, host), environment, name, service: service ?? null, state },
    message: message ?? null,
    record: needed ? { type: 'TXT', ...challengeOf(host, token) } : null,
    checkedAt: checkedAt === undefined ? null : toTime(checkedAt),
  };
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
