import type { NextFunction, Request, Response } from 'express';
import { parseBasic } from '../auth/authenticator.ts';
import { anonymous } from '../auth/authorizer.ts';
import { refuse } from '../oci/errors.ts';
import type { Identity } from '../ports/identity.ts';
import { unauthorized } from './access.ts';
import { recordLogin } from './audit-records.ts';
import { acceptBody } from './body.ts';
import { toErrorInfo, toErrorResponse } from './errors.ts';
import type { Services } from './services.ts';

interface TokenRequest {
  readonly credentials: { username: string; password: string } | undefined;
  readonly refreshToken: string | undefined;
  readonly scopes: readonly string[];
  readonly offline: boolean;
}

/**
 * Where clients get registry tokens: GET with Basic and repeated `scope`, as docker has it, and POST
 * with OAuth2's form, as containerd and others try first. Grants what may be granted; what may not is
 * simply left out. Wrong credentials are 401, never 403: clients stop at 403.
 */
export function createTokenEndpoint(services: Services) {
  return async (req: Request, res: Response): Promise<void> => {
    res.setHeader('Cache-Control', 'no-store');
    try {
      const address = services.origins.clientAddress(req);
      await services.limits.take('token', res, undefined, address);
      const request = req.method === 'POST' ? parseForm(req) : parseQuery(req);
      const username = request.credentials?.username ?? 'refresh';
      const { identity, refreshToken } = await services.limits.loggingIn(
        res,
        address,
        username,
        () => identify(services, req, request),
      );
      const issued = await services.tokenService.issue(identity, request.scopes);
      const refresh =
        refreshToken ??
        (request.offline ? await services.tokenService.issueRefresh(identity) : undefined);
      res.json({
        token: issued.token,
        access_token: issued.token,
        token_type: 'Bearer',
        expires_in: issued.expiresIn,
        issued_at: new Date(issued.issuedAt * 1000).toISOString(),
        scope: issued.access
          .map(({ type, name, actions }) => `${type}:${name}:${actions.join(',')}`)
          .join(' '),
        ...(refresh && { refresh_token: refresh }),
      });
    } catch (error) {
      refuseToken(services, res, error);
    }
  };
}

/** Goes before what reads the form: forms are small, so all of one must come within a body's longest rest. */
export function createFormLimit(services: Services) {
  const { bodyTimeoutMs } = services.settings;
  return (req: Request, res: Response, next: NextFunction): void => {
    acceptBody({ req, res });
    const timer = setTimeout(() => {
      if (req.complete || res.headersSent) return;
      res.setHeader('Connection', 'close');
      const message = `The form did not come within ${bodyTimeoutMs / 1000} s.`;
      refuseToken(services, res, refuse('body-timeout', message, 'Send it again.'));
    }, bodyTimeoutMs);
    res.once('close', () => clearTimeout(timer));
    next();
  };
}

async function identify(
  services: Services,
  req: Request,
  { credentials, refreshToken }: TokenRequest,
): Promise<{ identity: Identity; refreshToken?: string }> {
  const client = services.origins.clientAddress(req);
  if (refreshToken !== undefined) {
    const identity = await services.tokenService.byRefresh(refreshToken);
    services.metrics.login('refresh', identity !== undefined);
    recordLogin(services, client, 'refresh', identity ? { identity } : { refused: 'expired' });
    if (identity) return { identity, refreshToken };
    services.logger.warn('login denied', { kind: 'refresh', client });
    throw unauthorized(
      'This login has expired or was revoked.',
      'Log in again: docker logout, then docker login.',
    );
  }
  if (!credentials) return { identity: anonymous };
  const kind = credentials.username.startsWith('oidc') ? 'oidc' : 'token';
  const login = await services.login(credentials.username, credentials.password);
  services.metrics.login(kind, 'identity' in login);
  recordLogin(services, client, kind, login, credentials.username);
  if ('identity' in login) {
    services.logger.info('login', { kind, actor: login.identity.actor, client });
    return login;
  }
  services.logger.warn('login denied', { kind, reason: login.refused, client });
  throw unauthorized(login.refused, '');
}

function parseQuery(req: Request): TokenRequest {
  const mark = req.originalUrl.indexOf('?');
  const query = new URLSearchParams(mark < 0 ? '' : req.originalUrl.slice(mark + 1));
  const header = req.headers.authorization;
  let credentials: TokenRequest['credentials'];
  if (header !== undefined) {
    const match = /^basic\s+(\S+)$/i.exec(header);
    credentials = match ? parseBasic(match[1]!) : undefined;
    if (!credentials) throw unauthorized('The Authorization header must be Basic.', '');
  }
  return {
    credentials,
    refreshToken: undefined,
    scopes: query.getAll('scope').flatMap((scope) => scope.split(' ').filter(Boolean)),
    offline: query.get('offline_token') === 'true' || query.get('access_type') === 'offline',
  };
}

function parseForm(req: Request): TokenRequest {
  const form = (req.body ?? {}) as Record<string, unknown>;
  const field = (name: string): string | undefined => {
    const value = form[name];
    const first = Array.isArray(value) ? value.join(' ') : value;
    return typeof first === 'string' && first !== '' ? first : undefined;
  };
  const common = {
    scopes: (field('scope') ?? '').split(' ').filter(Boolean),
    offline: field('access_type') === 'offline' || field('offline_token') === 'true',
  };
  const grant = field('grant_type');
  if (grant === 'refresh_token') {
    const refreshToken = field('refresh_token') ?? '';
    return { ...common, credentials: undefined, refreshToken };
  }
  if (grant === 'password') {
    const credentials = { username: field('username') ?? '', password: field('password') ?? '' };
    return { ...common, credentials, refreshToken: undefined };
  }
  throw unauthorized(
    'The grant_type must be "password" or "refresh_token".',
    'Send username and password, or a refresh_token.',
  );
}

/** The registry's error JSON with OAuth2's fields beside it: clients read one or the other. */
function refuseToken(services: Services, res: Response, error: unknown): void {
  const info = toErrorInfo(error);
  const { status, body } = toErrorResponse(info);
  if (info.kind === 'internal') {
    services.logger.error('token endpoint failed', { cause: String((error as Error)?.stack) });
  }
  if (status === 401) res.setHeader('WWW-Authenticate', 'Basic realm="gantry"');
  if (status === 503) res.setHeader('Retry-After', '5');
  if (status === 429) res.setHeader('Retry-After', String(info.detail?.retryAfter ?? 10));
  res.status(status).json({
    ...(JSON.parse(body) as object),
    error: status === 401 ? 'invalid_grant' : 'temporarily_unavailable',
    error_description: info.message,
  });
}
