import type { Dispatcher } from 'undici';
import { refuse } from '../../oci/errors.ts';
import type { Clock } from '../../ports/clock.ts';
import type {
  Deployment,
  Deployments,
  FunctionEnvironment,
  Services,
} from '../../ports/functions.ts';
import type { Projects } from '../../ports/projects.ts';
import {
  ActivationError,
  type ActivationTarget,
  type Activator,
  type InstanceLease,
  type RequestObserver,
} from '../activation.ts';
import type { ContractRequest } from '../contracts/contract.ts';
import { functionsOn } from '../reserve.ts';
import { targetsOf } from '../target.ts';

export interface InvokerDeps {
  readonly deployments: Pick<Deployments, 'pointer' | 'findById' | 'page'>;
  readonly services: Pick<Services, 'find'>;
  readonly projects: Pick<Projects, 'findByIds'>;
  readonly activator: Activator;
  readonly observer: RequestObserver;
  readonly clock: Clock;
  /** Of one call: `x-gantry-id`. */
  readonly newRequestId: () => string;
  /** The functions domain as clients reach it. */
  readonly address: () => string;
  /** Milliseconds, for services that say nothing. */
  readonly timeoutMs: number;
}

/** Whom a call is for. */
export interface InvocationPlace {
  readonly projectId: string;
  readonly service: string;
  readonly environment: FunctionEnvironment;
  /** Of the pointer: `production`, or a preview's. */
  readonly name: string;
}

export interface InvocationCall {
  readonly payload: Buffer;
  readonly contentType: string | undefined;
  /** Of HTTP functions; an event function is always asked `POST /invoke`. */
  readonly method: string;
  readonly path: string;
  /** Of the caller. */
  readonly address: string;
  /** Bytes of the answer that are kept. */
  readonly mostBytes: number;
  readonly signal: AbortSignal;
}

/** What the function answered, or its contract in its place. */
export interface InvocationAnswer {
  readonly requestId: string;
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** There was more of the body than is kept. */
  readonly truncated: boolean;
  /** By the contract: such as `x-fc-status: 404`. */
  readonly functionError: boolean;
}

/** How far back the deployment is looked for that is on its way. */
const lookBack = 50;
const underWay = ['queued', 'pending', 'preparing', 'probing'];

/** Calls functions by name, not by host: event functions are wrapped as `POST /invoke`, others asked as they are. */
export class Invoker {
  readonly #deps: InvokerDeps;

  constructor(deps: InvokerDeps) {
    this.#deps = deps;
  }

  /** Rejects with `conflict` where it is not ready (the state is named) or paused, `not-found` where there is none. */
  async targetOf(place: InvocationPlace): Promise<ActivationTarget> {
    const { deployments, services, projects, address } = this.#deps;
    const { projectId, service: name, environment } = place;
    const [project] = await projects.findByIds([projectId]);
    const service = await services.find(projectId, name);
    const pointer = await deployments.pointer(projectId, environment, place.name);
    const deployment = pointer?.deploymentId && (await deployments.findById(pointer.deploymentId));
    const target =
      project && deployment && deployment.state === 'ready'
        ? targetsOf(deployment, project, address()).get(name)
        : undefined;
    if (!project || (!service && !target)) {
      throw refuse('not-found', 'The project has no such service.');
    }
    if (!functionsOn(project)) throw refuse('conflict', 'Functions are off in this project.');
    if (service?.paused) {
      throw refuse('conflict', `The service "${name}" is paused.`, 'Resume it first.');
    }
    if (!target) throw await this.#notReady(place);
    return target;
  }

  async #notReady({ projectId, environment, service, name }: InvocationPlace) {
    const page = await this.#deps.deployments.page({ projectId, environment }, undefined, lookBack);
    const newest = page.find((one: Deployment) => one.name === name);
    const where = environment === 'production' ? environment : `preview ${name}`;
    const state = newest?.state ?? 'not deployed';
    const why = newest?.reason ? `: ${newest.reason.message}` : '';
    return refuse(
      'conflict',
      `The service "${service}" is not ready in ${where}: ${state}${why}`,
      newest && underWay.includes(newest.state)
        ? 'Its image is being prepared: try again in a moment.'
        : 'Push its image first.',
      { state },
    );
  }

  /**
   * Rejects with `ActivationError` where there is no place for it, with `RegistryError` `unavailable` where the
   * instance broke off, and with the signal's reason.
   */
  async invoke(target: ActivationTarget, call: InvocationCall): Promise<InvocationAnswer> {
    const { activator, observer, clock, newRequestId } = this.#deps;
    const id = newRequestId();
    const at = clock.now();
    const began = performance.now();
    const event = target.service.settings.kind === 'event';
    const request: ContractRequest = {
      ...{ id, method: event ? 'POST' : call.method, path: event ? '/invoke' : call.path },
      ...{ host: target.host, proto: 'http', address: call.address },
      kind: event ? 'event' : 'http',
    };
    let lease: InstanceLease | undefined;
    let status = 0;
    let error: string | undefined;
    let firstByteMs = 0;
    let responseBytes = 0;
    let broken = false;
    try {
      lease = await activator.acquire(target, { id, signal: call.signal });
      observer.started({ target, requestId: id, instanceId: lease.instanceId, at: clock.now() });
      broken = true;
      const answer = await this.#ask(target, request, call, lease, () => {
        firstByteMs = performance.now() - began;
      });
      broken = false;
      status = answer.status;
      responseBytes = answer.body.length;
      return answer;
    } catch (cause) {
      status = cause instanceof ActivationError ? cause.status : call.signal.aborted ? 499 : 502;
      error = cause instanceof ActivationError ? cause.code : 'INVOCATION_FAILED';
      if (cause instanceof ActivationError || !lease || call.signal.aborted) throw cause;
      throw refuse(
        'unavailable',
        `The instance did not answer: ${String((cause as Error).message)}`,
        'Look at its log.',
      );
    } finally {
      lease?.release({ broken: broken && !call.signal.aborted });
      observer.ended({
        ...{ target, requestId: id, instanceId: lease?.instanceId, at },
        ...{ method: request.method, host: target.host, path: request.path.split('?', 1)[0]! },
        ...{ status, error, start: lease?.start, queueMs: lease?.queuedMs ?? 0, firstByteMs },
        totalMs: performance.now() - began,
        ...{ requestBytes: call.payload.length, responseBytes },
      });
    }
  }

  async #ask(
    target: ActivationTarget,
    request: ContractRequest,
    { payload, contentType, signal, mostBytes }: InvocationCall,
    { contract, place, credentials, dispatcher, origin }: InstanceLease,
    begun: () => void,
  ): Promise<InvocationAnswer> {
    const timeout = AbortSignal.timeout(
      target.service.settings.requestTimeoutMs ?? this.#deps.timeoutMs,
    );
    const answer = await dispatcher.request({
      origin,
      path: request.path,
      method: request.method as Dispatcher.HttpMethod,
      headers: {
        host: request.host,
        'content-type': contentType ?? 'application/octet-stream',
        ...contract.requestHeaders(request, place, credentials),
      },
      ...(hasBody(request.method) && { body: payload }),
      signal: AbortSignal.any([signal, timeout]),
      ...{ headersTimeout: 0, bodyTimeout: 0 },
    });
    begun();
    const chunks: Buffer[] = [];
    let size = 0;
    let truncated = false;
    for await (const chunk of answer.body as AsyncIterable<Buffer>) {
      const room = mostBytes - size;
      if (chunk.length > room) truncated = true;
      if (room > 0) chunks.push(chunk.subarray(0, room));
      size += Math.min(chunk.length, Math.max(room, 0));
      // What comes after is nobody's: the instance is not held for it.
      if (truncated) break;
    }
    const headers: Record<string, string> = {};
    for (const [name, value] of Object.entries(answer.headers)) {
      if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(', ') : value;
    }
    return {
      ...{ requestId: request.id, status: answer.statusCode, headers, truncated },
      body: Buffer.concat(chunks),
      functionError: contract.isFunctionError(answer.statusCode, headers),
    };
  }
}

const hasBody = (method: string) => method !== 'GET' && method !== 'HEAD';
