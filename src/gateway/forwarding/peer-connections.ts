import { type ClientRequest, Agent as HttpAgent, type RequestOptions, request } from 'node:http';
import { Agent as HttpsAgent, request as requestByTls } from 'node:https';
import type { Socket } from 'node:net';
import { connectionTo, isEncrypted, nameOf, type PeerAddress } from './owner.ts';

/** A process of the same installation is near, or it is not there. */
const connectMs = 2_000;
/** Of a connection without a byte: then the other end is asked, and given up 10 s later. */
const silentMs = 10_000;
const freeSockets = 64;
/** Of an answer: what the other process could send must not be lost here, after a function has run. */
const maxHeaderSize = 128 * 1024;

type Agent = HttpAgent | HttpsAgent;

/** Connections to other processes of the installation, kept for the next request. */
export class PeerConnections {
  readonly #agents = new Map<string, Agent>();

  /**
   * A request whose head leaves as soon as there is a connection. `connected` is called once there is one: from
   * then on the other end may have got something.
   */
  open(
    address: PeerAddress,
    options: Pick<RequestOptions, 'method' | 'path'> & { headers: string[]; upgrade?: boolean },
    connected: () => void,
  ): ClientRequest {
    const { upgrade, ...rest } = options;
    const encrypted = isEncrypted(address);
    const sent = (encrypted ? requestByTls : request)({
      ...{ ...connectionTo(address), ...rest, maxHeaderSize },
      // A connection that becomes something else is not given back.
      agent: upgrade ? false : this.#agentOf(address, encrypted),
    });
    const late = setTimeout(() => sent.destroy(new Error('no connection in time')), connectMs);
    sent.once('close', () => clearTimeout(late));
    sent.once('socket', (socket: Socket) => {
      const ready = (): void => {
        clearTimeout(late);
        socket.setNoDelay(true);
        socket.setKeepAlive(true, silentMs);
        connected();
      };
      if (sent.reusedSocket || !socket.connecting) ready();
      else socket.once(encrypted ? 'secureConnect' : 'connect', ready);
    });
    sent.flushHeaders();
    return sent;
  }

  /** Cuts what is open to any other address than that: its name (`nameOf`). */
  keepOnly(kept: string | undefined): void {
    for (const [name, agent] of this.#agents) {
      if (name === kept) continue;
      agent.destroy();
      this.#agents.delete(name);
    }
  }

  close(): void {
    this.keepOnly(undefined);
  }

  #agentOf(address: PeerAddress, encrypted: boolean): Agent {
    const name = nameOf(address);
    let agent = this.#agents.get(name);
    if (!agent) {
      const options = { keepAlive: true, maxFreeSockets: freeSockets };
      agent = encrypted ? new HttpsAgent(options) : new HttpAgent(options);
      this.#agents.set(name, agent);
    }
    return agent;
  }
}
