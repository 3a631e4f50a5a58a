import { isUtf8 } from 'node:buffer';
import { functionLimits } from '../../../config/function-limits.ts';
import { refuse } from '../../../oci/errors.ts';
import type { Invocation, InvocationResult } from '../../../ports/invocations.ts';
import { newId } from '../../../projects/ids.ts';
import { ActivationError } from '../../../scheduler/activation.ts';
import type { InvocationAnswer, InvocationPlace } from '../../../scheduler/invoke/invoker.ts';
import { limitOf, pageQuery } from '../paging.ts';
import { type Call, ok, type Reply, type Route } from '../route.ts';
import { runtimeOf } from '../runtime-services.ts';
import { nullable, object, oneOf, page, text, time, toTime } from '../schema.ts';
import { serviceName } from './functions/services.ts';

const { invoke: limits } = functionLimits;

const result = {
  status: { type: 'integer', description: "Of the function's answer." },
  headers: { type: 'object', additionalProperties: { type: 'string' } },
  body: { type: 'string', description: 'A text, or base64 where `base64` says so.' },
  base64: { type: 'boolean' },
  truncated: { type: 'boolean', description: 'There was more of the body than is kept.' },
} as const;
const answer = object(
  {
    requestId: { type: 'string' },
    ...result,
    functionError: {
      type: 'boolean',
      description:
        'The function failed, as its contract tells it: a status from 500 on, `x-fc-status: 404`, or it could not be started.',
    },
  },
  { title: 'InvocationAnswer' },
);
const invocation = object(
  {
    id: { type: 'string' },
    service: { type: 'string' },
    environment: oneOf('production', 'preview'),
    name: { type: 'string' },
    state: oneOf('queued', 'running', 'succeeded', 'failed'),
    attempts: { type: 'integer' },
    nextAttemptAt: nullable(time),
    error: nullable({ type: 'string', description: 'Why the last attempt failed.' }),
    result: nullable(object(result, { title: 'InvocationResult' })),
    createdAt: time,
    createdBy: { type: 'string' },
    finishedAt: nullable(time),
  },
  { title: 'Invocation' },
);

const path = '/teams/{team}/projects/{project}/services/{service}';
const access = { at: 'project', action: 'functions' } as const;
const tag = 'Invocations';
const params = { service: serviceName } as const;
const base64Of = (bytes: number) => Math.ceil(bytes / 3) * 4;

interface InvokeBody {
  readonly payload?: string;
  readonly payloadBase64?: string;
  readonly contentType?: string;
  readonly type?: 'sync' | 'async';
  readonly preview?: string;
  readonly method?: string;
  readonly path?: string;
}

/** Functions called by name, with an answer or without waiting for one. */
export const invokeRoutes: readonly Route[] = [
  {
    method: 'POST',
    path: `${path}/invoke`,
    operationId: 'invokeService',
    tag,
    summary: 'Calls a function.',
    description:
      'An event function gets the payload as `POST /invoke`; an HTTP function is asked as `method` and `path` say. With `"type": "async"` the answer is 202 at once: the call is kept, and tried up to three times. 409 says in which state a service is that is not ready.',
    access,
    params,
    bodyLimit: base64Of(limits.payload) + 2 ** 16,
    body: object(
      {
        payload: { type: 'string' },
        payloadBase64: { type: 'string', pattern: '^[A-Za-z0-9+/]*={0,2}$' },
        contentType: text(255, { pattern: '^[\\x20-\\x7e]+$', examples: ['application/json'] }),
        type: oneOf('sync', 'async'),
        preview: text(128, { description: 'The name of a preview; production unless given.' }),
        method: oneOf('GET', 'POST', 'PUT', 'PATCH', 'DELETE'),
        path: text(8192, { pattern: '^/[\\x21-\\x7e]*$', examples: ['/'] }),
      },
      {
        optional: [
          ...['payload', 'payloadBase64', 'contentType', 'type', 'preview', 'method', 'path'],
        ],
        title: 'NewInvocation',
      },
    ),
    replies: {
      200: { description: 'What the function answered.', schema: answer },
      202: { description: 'It is queued.', schema: invocation },
    },
    refusals: [409],
    handle: invoke,
  },
  {
    method: 'GET',
    path: `${path}/invocations`,
    operationId: 'listInvocations',
    tag,
    summary: 'Calls of a function that nobody waited for, the newest first.',
    access,
    params,
    query: pageQuery(),
    replies: { 200: { description: 'A page of them.', schema: page(invocation, 'Invocations') } },
    async handle(call) {
      const { cursors, metadata } = call.services;
      const place = { projectId: call.project.id, service: call.params.service! };
      const scope = `invocations:${place.projectId}/${place.service}`;
      const [before] = cursors.read(scope, call.query.cursor) ?? [];
      const limit = limitOf(call);
      const rows = await metadata.invocations.page(place, before as string | undefined, limit + 1);
      const { items, next } = cursors.page(scope, rows, limit, (row) => [row.id]);
      return ok({ items: items.map(viewOf), next });
    },
  },
  {
    method: 'GET',
    path: `${path}/invocations/{invocation}`,
    operationId: 'getInvocation',
    tag,
    summary: 'A call that nobody waited for, and what came of it.',
    access,
    params: { ...params, invocation: text(64, { pattern: '^[a-z0-9_]+$' }) },
    replies: { 200: { description: 'The call. Kept for a day.', schema: invocation } },
    async handle({ services, project, params }) {
      const found = await services.metadata.invocations.find(project.id, params.invocation!);
      if (found && found.service === params.service!) return ok(viewOf(found));
      throw refuse('not-found', 'The service has no such invocation.');
    },
  },
];

async function invoke(call: Call): Promise<Reply> {
  const { services, project, params, res, address } = call;
  const { invocations } = runtimeOf(services);
  const body = call.body as InvokeBody;
  const place: InvocationPlace = {
    ...{ projectId: project.id, service: params.service! },
    ...(body.preview === undefined
      ? { environment: 'production', name: 'production' }
      : { environment: 'preview', name: body.preview }),
  };
  const target = await invocations.invoker.targetOf(place);
  const payload = payloadOf(body);
  if (body.type === 'async') return queue(call, place, body, payload);
  const gone = new AbortController();
  const closed = () => gone.abort();
  res.once('close', closed);
  try {
    const answered = await invocations.invoker.invoke(target, {
      ...{ payload, contentType: body.contentType, address, signal: gone.signal },
      ...{ method: body.method ?? 'POST', path: body.path ?? '/', mostBytes: limits.payload },
    });
    const { requestId, functionError } = answered;
    return ok({ requestId, ...resultOf(answered), functionError });
  } catch (error) {
    return refusalOf(error);
  } finally {
    res.off('close', closed);
  }
}

function payloadOf({ payload, payloadBase64, type }: InvokeBody): Buffer {
  if (payload !== undefined && payloadBase64 !== undefined) {
    throw refuse('invalid', 'Only one of payload and payloadBase64 can be given.');
  }
  const bytes =
    payloadBase64 === undefined ? Buffer.from(payload ?? '') : Buffer.from(payloadBase64, 'base64');
  const limit = type === 'async' ? limits.asyncPayload : limits.payload;
  if (bytes.length <= limit) return bytes;
  throw refuse(
    'manifest-too-large',
    `The payload has ${bytes.length} bytes; at most ${limit} are allowed.`,
    'Put what is larger into a volume or a bucket, and send where it is.',
  );
}

async function queue(
  { services, project, identity }: Call,
  { service, environment, name }: InvocationPlace,
  { contentType, method, path }: InvokeBody,
  payload: Buffer,
): Promise<Reply> {
  if (method !== undefined || path !== undefined) {
    throw refuse(
      'invalid',
      'Calls that nobody waits for are POST /: method and path are not taken.',
    );
  }
  const now = services.clock.now();
  const made: Invocation = {
    ...{ id: newId('inv'), projectId: project.id, service, environment, name, contentType },
    ...{ state: 'queued', attempts: 0, runAt: now, result: undefined, error: undefined },
    ...{ createdAt: now, createdBy: identity.actor, finishedAt: undefined },
  };
  await services.metadata.writer.run('CreateInvocation', {
    ...{ invocation: made, payload, most: limits.asyncWaiting },
  });
  runtimeOf(services).invocations.queue.wake();
  return { status: 202, body: viewOf(made) };
}

/** What a start that failed looks like to its contract's clients is an answer; that there is no room is none. */
function refusalOf(error: unknown): Reply {
  if (!(error instanceof ActivationError)) throw error;
  const { status, code, message, hint, answer: given, retryAfterSeconds: retryAfter } = error;
  if (status === 502 || given) {
    return ok({
      requestId: '',
      status: given?.status ?? status,
      headers: given?.headers ?? { 'content-type': 'application/json' },
      body: given?.body ?? JSON.stringify({ code, message, hint }),
      ...{ base64: false, truncated: false, functionError: true },
    });
  }
  const kind = status === 429 ? 'too-many-requests' : 'unavailable';
  throw refuse(kind, message, hint, retryAfter === undefined ? {} : { retryAfter });
}

function resultOf({ status, headers, body, truncated }: Omit<InvocationAnswer, 'requestId'>) {
  const base64 = !isUtf8(body);
  return { status, headers, body: body.toString(base64 ? 'base64' : 'utf8'), base64, truncated };
}

function viewOf(found: Invocation) {
  const { id, service, environment, name, state, attempts, runAt, error } = found;
  const { result: kept, createdAt, createdBy, finishedAt } = found;
  return {
    ...{ id, service, environment, name, state, attempts, error: error ?? null },
    nextAttemptAt: state === 'queued' ? toTime(runAt) : null,
    result: kept ? resultView(kept) : null,
    ...{ createdAt: toTime(createdAt), createdBy },
    finishedAt: finishedAt === undefined ? null : toTime(finishedAt),
  };
}

function resultView({ status, headers, body, truncated }: InvocationResult) {
  const bytes = Buffer.from(body, 'base64');
  return resultOf({ status, headers, body: bytes, truncated, functionError: false });
}
