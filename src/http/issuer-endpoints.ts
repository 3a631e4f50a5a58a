import type { Request, Response } from 'express';
import { describe } from '../oci/errors.ts';
import type { ApiServices } from './api/api-services.ts';

/** Less than the time for which a new key is published before it signs. */
const headers = {
  'Cache-Control': 'public, max-age=3600',
  'X-Content-Type-Options': 'nosniff',
  // Public as it is: pages that verify tokens may read it, too.
  'Access-Control-Allow-Origin': '*',
} as const;

/** `/.well-known/openid-configuration`: this installation as an OpenID issuer. */
export function createDiscoveryEndpoint({ issuer }: Pick<ApiServices, 'issuer'>) {
  return (_req: Request, res: Response): void => {
    res.set(headers).json(issuer.discovery());
  };
}

/** `/.well-known/jwks.json`: the keys of what it signs. */
export function createJwksEndpoint({ issuer, logger }: Pick<ApiServices, 'issuer' | 'logger'>) {
  return async (_req: Request, res: Response): Promise<void> => {
    try {
      const jwks = await issuer.jwks();
      res.set(headers).json(jwks);
    } catch (error) {
      logger.error('the keys could not be read', { cause: describe(error) });
      res.status(503).set('Retry-After', '5').json({ error: 'temporarily_unavailable' });
    }
  };
}
