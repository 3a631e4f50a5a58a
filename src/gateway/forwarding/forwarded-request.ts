import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http';
import { mostInformed } from '../exchange-deps.ts';
import { GatewayError, internal, malformed, type Refusal, refusalOf } from '../refusal.ts';
import { awaitsContinue, endUnread, hasBody, RequestBody } from '../request-body.ts';
import { cleanFields } from '../response-headers.ts';
import { writeRefusal } from '../write-refusal.ts';
import type { PeerAddress } from './owner.ts';
import {
  passedAnswerHeaders,
  passedRequestHeaders,
  type ToldHeader,
  targetOf,
} from './passed-headers.ts';
import type { PeerConnections } from './peer-connections.ts';

/** `unreached`: the other process has done nothing, and another may be asked. */
export type ForwardOutcome = 'done' | 'unreached';

/** Said by a process that does not take a request since it does not run functions now, in place of an answer. */
export const misdirected = 421;
export const misdirectedHeader = 'x-gantry-not-owner';

/** One request on its way to another process of the installation, and its answer back. */
export class ForwardedRequest {
  readonly #req: IncomingMessage;
  readonly #res: ServerResponse;
  readonly #connections: PeerConnections;
  readonly #gone = new AbortController();
  readonly #id: string;
  readonly #sandboxed: boolean;
  #body: RequestBody | undefined;
  #peer: ClientRequest | undefined;
  #informed = 0;

  constructor(
    connections: PeerConnections,
    { req, res, id, sandboxed }: ForwardedPair & { id: string; sandboxed: boolean },
  ) {
    this.#connections = connections;
    this.#req = req;
    this.#res = res;
    this.#id = id;
    this.#sandboxed = sandboxed;
    res.once('close', this.#closed);
  }

  /** Aborted where the client goes away. */
  get signal(): AbortSignal {
    return this.#gone.signal;
  }

  /** From here on another answers it. */
  release(): void {
    this.#res.off('close', this.#closed);
  }

  /** Never rejects: what goes wrong is answered. */
  attempt(address: PeerAddress, told: ToldHeader): Promise<ForwardOutcome> {
    const { promise, resolve: settle } = Promise.withResolvers<ForwardOutcome>();
    const req = this.#req;
    let sent = false;
    let answered = false;
    const connected = (): void => {
      sent = true;
      if (!awaitsContinue(req)) this.#sendBody(peer);
    };
    let peer: ClientRequest;
    try {
      peer = this.#connections.open(
        address,
        { method: req.method!, path: targetOf(req), headers: passedRequestHeaders(req, told) },
        connected,
      );
    } catch (error) {
      this.refuse(error instanceof GatewayError ? error : unsendable());
      return Promise.resolve<ForwardOutcome>('done');
    }
    this.#peer = peer;
    peer.on('continue', () => this.#sendBody(peer));
    peer.on('information', ({ statusCode, rawHeaders }) => this.#inform(statusCode, rawHeaders));
    peer.on('response', (answer) => {
      answered = true;
      if (answer.statusCode === misdirected && answer.headers[misdirectedHeader]) {
        peer.destroy();
        if (!this.#body) return settle('unreached');
        this.refuse(movedAway());
        return settle('done');
      }
      this.#answer(answer, () => {
        // Where the answer came before the body was whole, the connection is of no use any more.
        if (!peer.writableFinished) peer.destroy();
        settle('done');
      });
    });
    peer.on('error', () => {
      if (answered) return;
      if (this.signal.aborted) settle('done');
      else if (!sent) settle('unreached');
      else {
        this.refuse(broken());
        settle('done');
      }
    });
    peer.on('close', () => settle('done'));
    return promise;
  }

  /** Answers here. */
  refuse(error: unknown): void {
    if (this.signal.aborted || this.#res.headersSent) {
      this.#res.destroy();
      return;
    }
    const refusal: Refusal = refusalOf(error) ?? internal();
    writeRefusal(this.#req, this.#res, refusal, { id: this.#id, sandboxed: this.#sandboxed });
  }

  #sendBody(peer: ClientRequest): void {
    const req = this.#req;
    if (!hasBody(req)) {
      peer.end();
      return;
    }
    this.#body = new RequestBody(req, this.#res, {
      limit: Number.POSITIVE_INFINITY,
      tooLarge: unsendable,
    });
    // A body that was cut must not look whole.
    this.#body.on('error', () => peer.destroy());
    this.#body.pipe(peer);
  }

  #inform(status: number, raw: readonly string[]): void {
    if (status === 100 || this.#informed++ > mostInformed || this.#req.httpVersionMinor < 1) return;
    this.#res.writeInformation(status, cleanFields(raw).flat());
  }

  #answer(answer: IncomingMessage, done: () => void): void {
    const res = this.#res;
    if (this.signal.aborted) {
      done();
      return;
    }
    // What was said of the answer that would have been made here.
    for (const name of res.getHeaderNames()) res.removeHeader(name);
    res.writeHead(answer.statusCode!, passedAnswerHeaders(answer));
    process.nextTick(() => res.flushHeaders());
    answer.pipe(res, { end: false });
    answer.on('error', () => res.destroy());
    answer.once('end', () => {
      if (answer.rawTrailers.length > 0) res.addTrailers(cleanFields(answer.rawTrailers));
      // What is still on its way is for endUnread to drop.
      this.#body?.destroy();
      this.release();
      endUnread(this.#req, res);
      done();
    });
  }

  readonly #closed = (): void => {
    this.#gone.abort();
    this.#body?.destroy();
    this.#peer?.destroy();
  };
}

export interface ForwardedPair {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
}

function unsendable(): GatewayError {
  return malformed('The request cannot be passed on as it is.');
}

export function broken(): GatewayError {
  return new GatewayError(
    502,
    'OWNER_FAILED',
    'The replica that runs functions closed the connection before it answered.',
    'Whether the function has seen the request is not known: send it again where that does no harm.',
    { retryAfterSeconds: 5 },
  );
}

function movedAway(): GatewayError {
  return new GatewayError(
    503,
    'OWNER_CHANGED',
    'Functions are changing to another replica.',
    'The function has not seen the request: try again.',
    { retryAfterSeconds: 2 },
  );
}
