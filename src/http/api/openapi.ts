import { atOwner } from './at-owner.ts';
import { patterns } from './formats.ts';
import type { Access, ReplyDoc, Route } from './route.ts';
import { object, type Schema } from './schema.ts';

const errorSchema = object(
  {
    code: { type: 'string', description: 'Stands still: programs compare it.' },
    message: { type: 'string', description: 'What was refused, and the rule.' },
    hint: { type: 'string', description: 'What to do about it; may be empty.' },
  },
  { title: 'Error', description: 'Every error of the API.' },
);

const refusalTexts: Readonly<Record<number, string>> = {
  400: 'A parameter or the body is not valid.',
  401: 'No credentials, or none that are good.',
  403: 'The caller may not do this, or the plan does not allow it.',
  404: 'There is no such thing, or the caller has no access to it.',
  408: 'The body did not come in time.',
  409: 'It conflicts with what is there.',
  412: 'If-Match names another version.',
  413: 'The body is too large.',
  415: 'The body is not of the type that is wanted.',
  422: 'What was sent was understood, and cannot be done.',
  429: 'Too many requests: wait as long as Retry-After says.',
  500: 'A fault of the registry.',
  502: 'The replica that runs functions closed the connection before it answered.',
  503: 'Something that the registry needs does not answer: try again.',
  507: 'The registry has no space left.',
};

const refusalHeaders: Readonly<Record<number, readonly string[]>> = {
  401: ['WWW-Authenticate'],
  429: ['Retry-After'],
  503: ['Retry-After'],
};

const headerTexts: Readonly<Record<string, string>> = {
  ETag: 'The version: for If-None-Match, and for the If-Match of a change.',
  Location: 'Where what was made is.',
  'Retry-After': 'Seconds to wait.',
  'WWW-Authenticate': 'How to authenticate.',
};

const csrfText =
  'Changes need X-CSRF-Token with the csrfToken of GET /api/v1/session, from a page of the same origin.';

/** draft-ietf-httpapi-ratelimit-headers-11 */
const rateHeaders = {
  'Retry-After': { description: 'Seconds to wait.', schema: { type: 'integer' } },
  RateLimit: {
    description: 'What is left of the budget (r), and the seconds until it is whole again (t).',
    schema: { type: 'string', examples: ['"api-reads";r=0;t=42'] },
  },
  'RateLimit-Policy': {
    description:
      'The budget (q) of a window of so many seconds (w). Both headers are on other answers, too.',
    schema: { type: 'string', examples: ['"api-reads";q=12000;w=60'] },
  },
};

const placeTexts: Readonly<Record<string, string>> = {
  team: "The team's slug or id.",
  project: "The project's slug.",
  repository: "The repository's name.",
};

/** The OpenAPI 3.1 document of `routes`, from the very schemas that requests are checked against. */
export function openApiDocument(routes: readonly Route[], about: { version: string }): object {
  const schemas: Record<string, unknown> = {};
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    const path = `/api/v1${route.path}`;
    paths[path] ??= {};
    const readable = routes.some((one) => one.path === route.path && one.method === 'GET');
    paths[path][route.method.toLowerCase()] = operation(route, schemas, readable);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Gantry',
      version: about.version,
      description:
        'Manages teams, projects, repositories, tokens and trust. Images themselves are pushed and pulled by the OCI distribution protocol under /v2/.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    tags: [...new Set(routes.map(({ tag }) => tag))].map((name) => ({ name })),
    paths,
    components: {
      schemas: { Error: errorSchema, ...schemas },
      securitySchemes: {
        bearer: {
          type: 'http',
          scheme: 'bearer',
          description: 'A token (gnt_…), or a JWT of an issuer that a trust policy names.',
        },
        basic: {
          type: 'http',
          scheme: 'basic',
          description: "As docker logs in: the team's id and a token, or `oidc` and a JWT.",
        },
        session: {
          ...{ type: 'apiKey', in: 'cookie', name: 'gantry_session' },
          description: `A browser's session over http. ${csrfText}`,
        },
        secureSession: {
          ...{ type: 'apiKey', in: 'cookie', name: '__Host-gantry_session' },
          description: `A browser's session over https. ${csrfText}`,
        },
      },
    },
  };
}

/** `readable`: the path has a GET, whose ETag says which version a change is meant for. */
function operation(route: Route, schemas: Record<string, unknown>, readable: boolean): object {
  const { operationId, tag, summary, description, body, rawBody } = route;
  const content = rawBody
    ? { [rawBody.mediaType]: { schema: rawBody.schema } }
    : body && { 'application/json': { schema: shared(body, schemas) } };
  const required = rawBody !== undefined || (body?.required?.length ?? 0) > 0;
  return {
    operationId,
    tags: [tag],
    summary,
    ...(description !== undefined && { description }),
    'x-access': accessText(route.access),
    security: securityOf(route.access),
    parameters: parametersOf(route, schemas, readable),
    ...(content && { requestBody: { required, content } }),
    responses: responsesOf(route, schemas),
  };
}

function securityOf(access: Access): object[] {
  const any = [{ bearer: [] }, { basic: [] }, { session: [] }, { secureSession: [] }];
  const open =
    access.at === 'public' ||
    access.at === 'repository' ||
    (access.at === 'project' && access.orPublicParts);
  return open ? [...any, {}] : any;
}

export function accessText(access: Access): string {
  const parts = access.at === 'project' && access.orPublicParts ? ', or what is public' : '';
  const or = access.at === 'project' && access.or ? ` or ${access.or}` : '';
  if ('action' in access) return `${access.at}: ${access.action}${or}${parts}`;
  return access.at;
}

function parametersOf(route: Route, schemas: Record<string, unknown>, readable: boolean): object[] {
  const inline = (schema: Schema) => mapChildren(schema, schemas);
  const path = [...route.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    description: placeTexts[name!] ?? route.params?.[name!]?.description,
    schema: inline(route.params?.[name!] ?? { type: 'string', minLength: 1, maxLength: 255 }),
  }));
  const query = Object.entries(route.query?.properties ?? {}).map(([name, schema]) => ({
    name,
    in: 'query',
    required: route.query?.required?.includes(name) ?? false,
    description: schema.description,
    schema: inline(schema),
    ...(schema.type === 'array' && { style: 'form', explode: true }),
  }));
  const key = {
    name: 'Idempotency-Key',
    in: 'header',
    required: false,
    description: 'The same request again with the same key gets the same answer, for a day.',
    schema: { type: 'string', minLength: 1, maxLength: 255, pattern: '^[\\x21-\\x7e]+$' },
  };
  const match = {
    name: 'If-Match',
    in: 'header',
    required: false,
    description: 'The ETag of what the change is meant for: 412 where somebody was faster.',
    schema: { type: 'string', maxLength: 1024 },
  };
  return [
    ...path,
    ...query,
    ...(route.idempotent ? [key] : []),
    ...(readable && route.method !== 'GET' ? [match] : []),
  ];
}

function responsesOf(route: Route, schemas: Record<string, unknown>): object {
  const responses: Record<string, unknown> = {};
  for (const [status, reply] of Object.entries(route.replies)) {
    const etag = route.method === 'GET' && status === '200' && !reply.mediaType;
    // What a PUT made is where it was sent to (RFC 9110, 9.3.4).
    const made = route.method === 'POST' && status === '201';
    const headers = etag ? ['ETag'] : made ? ['Location'] : [];
    responses[status] = { ...responseOf(reply, schemas), ...headersOf(headers) };
  }
  if (route.method === 'GET' && !route.replies[200]?.mediaType) {
    responses[304] = { description: 'It is as If-None-Match has it.' };
  }
  for (const status of refusalsOf(route)) {
    responses[status] = {
      description: refusalTexts[status]!,
      ...(status === 429 && { headers: rateHeaders }),
      ...headersOf(refusalHeaders[status] ?? []),
      content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
    };
  }
  return responses;
}

function headersOf(names: readonly string[]): object {
  if (names.length === 0) return {};
  const entries = names.map((name) => [
    name,
    { required: true, description: headerTexts[name], schema: { type: 'string' } },
  ]);
  return { headers: Object.fromEntries(entries) as object };
}

/** What follows from the route itself, and what its author adds. */
export function refusalsOf(route: Route): number[] {
  const { access, body, rawBody, idempotent, method, refusals = [] } = route;
  const statuses = new Set<number>([400, 401, 403, 429, 500, 503, ...refusals]);
  if (access.at === 'team' || access.at === 'project' || access.at === 'repository') {
    statuses.add(404);
  }
  if (body || rawBody) for (const status of [408, 413, 415]) statuses.add(status);
  if (idempotent) statuses.add(409);
  if (atOwner(route.operationId)) statuses.add(502);
  if (method !== 'GET') for (const status of [412, 507]) statuses.add(status);
  return [...statuses].sort((a, b) => a - b);
}

function responseOf(
  { description, schema, mediaType }: ReplyDoc,
  schemas: Record<string, unknown>,
) {
  if (!schema && mediaType === undefined) return { description };
  const type = mediaType ?? 'application/json';
  const media = schema ? { schema: shared(schema, schemas) } : {};
  return { description, content: { [type]: media } };
}

/** Schemas with a title stand once, under it. */
function shared(schema: Schema, schemas: Record<string, unknown>): unknown {
  const inner = mapChildren(schema, schemas);
  if (!schema.title) return inner;
  const known = schemas[schema.title];
  if (known !== undefined && JSON.stringify(known) !== JSON.stringify(inner)) {
    throw new Error(`two schemas have the title ${schema.title}`);
  }
  schemas[schema.title] = inner;
  return { $ref: `#/components/schemas/${schema.title}` };
}

function mapChildren(schema: Schema, schemas: Record<string, unknown>): object {
  const each = (one: Schema) => shared(one, schemas);
  const { properties, items, additionalProperties, oneOf, anyOf, format = '' } = schema;
  const pattern = patterns[format];
  return {
    ...(pattern !== undefined && { pattern }),
    ...schema,
    ...(properties && {
      properties: Object.fromEntries(Object.entries(properties).map(([k, v]) => [k, each(v)])),
    }),
    ...(items && { items: each(items) }),
    ...(typeof additionalProperties === 'object' && {
      additionalProperties: each(additionalProperties),
    }),
    ...(oneOf && { oneOf: oneOf.map(each) }),
    ...(anyOf && { anyOf: anyOf.map(each) }),
  };
}
