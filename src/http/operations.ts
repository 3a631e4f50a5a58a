import { timingSafeEqual } from 'node:crypto';
import type { Request, Response } from 'express';
import { hashSecret } from '../auth/identities.ts';
import type { MetricsAccess } from '../config/config.ts';
import { directClient } from './direct-client.ts';
import type { Services } from './services.ts';

/** Alive: the event loop answers. */
export function healthz(_req: Request, res: Response): void {
  res.json({ status: 'ok' });
}

/** Ready: the database reads and writes, and no drain has begun. */
export function createReadyz(services: Services, draining: () => boolean) {
  return async (_req: Request, res: Response): Promise<void> => {
    try {
      if (draining()) throw new Error('draining');
      await services.metadata.ping();
      res.json({ status: 'ready' });
    } catch {
      res.status(503).setHeader('Retry-After', '5').json({ status: 'not ready' });
    }
  };
}

/** For those whom the settings let see it; for others it is not there. */
export function createMetricsEndpoint(
  services: Services,
  settings: { access: MetricsAccess; token: string | undefined },
) {
  return async (req: Request, res: Response): Promise<void> => {
    if (!mayRead(req, settings)) {
      res.status(404).json(noPage);
      return;
    }
    res.type(services.metrics.registry.contentType).send(await services.metrics.text());
  };
}

function mayRead(
  req: Request,
  { access, token }: { access: MetricsAccess; token: string | undefined },
): boolean {
  if (access === 'off') return false;
  if (token !== undefined) {
    const sent = /^bearer\s+(\S+)$/i.exec(req.headers.authorization ?? '')?.[1] ?? '';
    return timingSafeEqual(Buffer.from(hashSecret(sent)), Buffer.from(hashSecret(token)));
  }
  if (access === 'on') return true;
  // Behind a proxy on this machine everybody comes from loopback: what was forwarded is from outside.
  const forwarded = req.headers['x-forwarded-for'] ?? req.headers.forwarded;
  const { address } = directClient(req);
  return forwarded === undefined && /^(127\.|::1$|::ffff:127\.)/.test(address);
}

/** The same for who may not see the page as where there is none. */
const noPage = {
  code: 'NOT_FOUND',
  message: 'There is no such page.',
  hint: 'The pages of the API are at /api/v1/docs.',
};
