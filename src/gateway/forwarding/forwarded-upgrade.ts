import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { closeSoon, headOf, joinEnds } from '../raw-answer.ts';
import { GatewayError, internal, malformed, refusalOf } from '../refusal.ts';
import { hasBody } from '../request-body.ts';
import {
  broken,
  type ForwardOutcome,
  misdirected,
  misdirectedHeader,
} from './forwarded-request.ts';
import type { PeerAddress } from './owner.ts';
import {
  passedAnswerHeaders,
  passedRequestHeaders,
  type ToldHeader,
  targetOf,
} from './passed-headers.ts';
import type { PeerConnections } from './peer-connections.ts';

/** One connection that is to become something else than HTTP, on its way to another process of the installation. */
export class ForwardedUpgrade {
  readonly #req: IncomingMessage;
  readonly #client: Duplex;
  readonly #head: Buffer;
  readonly #connections: PeerConnections;
  readonly #gone = new AbortController();
  readonly #id: string;
  #answered = false;
  #peer: ClientRequest | undefined;
  #other: Duplex | undefined;

  constructor(
    connections: PeerConnections,
    { req, client, head, id }: { req: IncomingMessage; client: Duplex; head: Buffer; id: string },
  ) {
    this.#connections = connections;
    this.#req = req;
    this.#client = client;
    this.#head = head;
    this.#id = id;
    client.on('error', ignored);
    client.once('close', this.#closed);
  }

  get signal(): AbortSignal {
    return this.#gone.signal;
  }

  /** From here on another answers it. */
  release(): void {
    this.#client.off('close', this.#closed);
    this.#client.off('error', ignored);
  }

  /** Never rejects: what goes wrong is answered. Resolves once the connections are joined, or the answer is written. */
  attempt(address: PeerAddress, told: ToldHeader): Promise<ForwardOutcome> {
    const { promise, resolve: settle } = Promise.withResolvers<ForwardOutcome>();
    const req = this.#req;
    let sent = false;
    let peer: ClientRequest;
    try {
      if (hasBody(req)) throw malformed('A request for an upgrade has no body.');
      const headers = passedRequestHeaders(req, told);
      headers.push('connection', 'Upgrade', 'upgrade', req.headers.upgrade!);
      peer = this.#connections.open(
        address,
        { method: req.method!, path: targetOf(req), headers, upgrade: true },
        () => {
          sent = true;
        },
      );
    } catch (error) {
      this.refuse(
        error instanceof GatewayError ? error : malformed('It cannot be passed on as it is.'),
      );
      return Promise.resolve<ForwardOutcome>('done');
    }
    this.#peer = peer;
    peer.once('upgrade', (answer, socket, head) => {
      this.#write(answer, ['connection', 'Upgrade', 'upgrade', answer.headers.upgrade ?? '']);
      this.#join(socket, head);
      settle('done');
    });
    peer.once('response', (answer) => {
      if (answer.statusCode === misdirected && answer.headers[misdirectedHeader]) {
        peer.destroy();
        return settle('unreached');
      }
      // Its end is the connection's: what was chunked is so no more.
      this.#write(answer, ['connection', 'close']);
      answer.on('error', () => this.#client.destroy());
      answer.once('end', () => closeSoon(this.#client));
      answer.pipe(this.#client);
      settle('done');
    });
    peer.on('error', () => {
      if (this.#answered) this.#client.destroy();
      else if (this.signal.aborted) settle('done');
      else if (!sent) settle('unreached');
      else {
        this.refuse(broken());
        settle('done');
      }
    });
    peer.on('close', () => settle('done'));
    peer.end();
    return promise;
  }

  /** Answers here, and closes. */
  refuse(error: unknown): void {
    if (this.signal.aborted || this.#answered) {
      this.#client.destroy();
      return;
    }
    this.#answered = true;
    const { status, headers, body } = refusalOf(error) ?? internal();
    const pairs = Object.entries(headers).flat();
    pairs.push('x-gantry-id', this.#id, 'content-length', String(Buffer.byteLength(body)));
    this.#client.end(`${headOf(status, [...pairs, 'connection', 'close'])}${body}`);
    closeSoon(this.#client);
  }

  /** Both ends at once. */
  cut(): void {
    this.#client.destroy();
  }

  #write(answer: IncomingMessage, connection: readonly string[]): void {
    this.#answered = true;
    const headers = [...passedAnswerHeaders(answer), ...connection];
    this.#client.write(headOf(answer.statusCode!, headers), 'latin1');
  }

  #join(other: Duplex, head: Buffer): void {
    this.#other = other;
    if (this.#client.destroyed) return void other.destroy();
    joinEnds({ socket: this.#client, head: this.#head }, { socket: other, head });
    // What broke on one side cannot end well on the other; an end alone may.
    other.once('close', () => {
      if (!other.readableEnded) this.#client.destroy();
    });
  }

  readonly #closed = (): void => {
    this.#gone.abort();
    const other = this.#other;
    if (!other) this.#peer?.destroy();
    else if (this.#client.errored || !other.writableEnded) other.destroy();
  };
}

function ignored(): void {}
