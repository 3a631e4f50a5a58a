import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { ForwardedHeaders } from '../gateway/forwarding/forwarded-header.ts';
import type { Forwarder } from '../gateway/forwarding/forwarder.ts';
import type { Gateway } from '../gateway/gateway.ts';
import type { Upgrades } from './server.ts';

/** Other processes of the installation, one of which runs functions. */
export interface Peers {
  readonly forwarder: Forwarder;
  readonly headers: ForwardedHeaders;
}

/** Requests of functions go to the gateway before anything of the registry's own sees them. */
export function byHost(
  current: () => Gateway,
  own: RequestListener,
  peers?: Peers,
): RequestListener {
  const answer = (req: IncomingMessage, res: ServerResponse): void => {
    const here = (): void => current().request(req, res);
    if (peers) void peers.forwarder.request(req, res, here);
    else here();
  };
  return (req: IncomingMessage, res: ServerResponse) => {
    peers?.headers.receive(req);
    const ours = current().takes(req);
    if (typeof ours === 'boolean') return ours ? answer(req, res) : own(req, res);
    ours.then(
      (found) => (found ? answer(req, res) : own(req, res)),
      // What cannot be looked up is answered by the registry, which says why it cannot.
      () => own(req, res),
    );
  };
}

/** WebSockets and the like are for functions alone; other wishes to upgrade are answered as plain requests. */
export function upgradesOf(current: () => Gateway, peers?: Peers): Upgrades {
  return {
    takes: (req) => {
      // Whose request it is tells which host it is for.
      peers?.headers.receive(req);
      return current().upgrades(req);
    },
    upgrade: (req, socket, head) => {
      if (!peers) return current().upgrade(req, socket, head);
      void peers.forwarder.upgrade(req, socket, head, () => current().upgrade(req, socket, head));
    },
  };
}
