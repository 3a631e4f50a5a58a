import type { Request, Response } from 'express';
import { hashSecret } from '../auth/identities.ts';
import { describe } from '../oci/errors.ts';
import type { ApiServices } from './api/api-services.ts';
import { toErrorInfo } from './errors.ts';

const exchangeGrant = 'urn:ietf:params:oauth:grant-type:token-exchange';
const accessTokenType = 'urn:ietf:params:oauth:token-type:access_token';
const jwtTypes = ['jwt', 'id_token'].map((type) => `urn:ietf:params:oauth:token-type:${type}`);

type Form = (name: string) => readonly string[];

interface OAuthError {
  readonly status: number;
  readonly error: string;
  readonly description: string;
}

/** `POST /oauth/token`: OAuth 2.0 Token Exchange (RFC 8693), without a client of its own: the JWT says who asks. */
export function createExchangeEndpoint(services: ApiServices) {
  return async (req: Request, res: Response): Promise<void> => {
    const address = services.origins.clientAddress(req);
    const audit = (actor: string, result: string, more: { teamId?: string; reason?: string }) =>
      services.audit.record({
        identity: { id: 'oidc', kind: 'oidc', actor },
        address,
        action: 'exchangeToken',
        target: '/oauth/token',
        result,
        requestId: String(res.getHeader('X-Request-Id') ?? ''),
        ...more,
      });
    await answer(services, res, async () => {
      await services.limits.take('token', res, undefined, address);
      await services.limits.mayLogIn(res, address, 'exchange');
      const form = formOf(req);
      const wrong = wrongForm(form);
      if (wrong) return wrong;
      const result = await services.tokenExchange.exchange({
        subjectToken: form('subject_token')[0]!,
        scope: form('scope')[0],
        team: form('team')[0],
        targets: [...form('audience'), ...form('resource')],
        origin: services.origins.of(req).url,
      });
      services.metrics.login('exchange', result.ok);
      if (!result.ok) {
        services.logger.warn('login denied', {
          kind: 'exchange',
          reason: result.description,
          client: address,
        });
        audit('unknown', 'unauthorized', { reason: result.description });
        await services.limits.loginFailed(address, 'exchange');
        return { status: 400, error: result.error, description: result.description };
      }
      const { token, secret, scope } = result;
      services.logger.info('login', { kind: 'exchange', actor: token.name, client: address });
      audit(token.name, 'ok', { teamId: token.teamId });
      return {
        access_token: secret,
        issued_token_type: accessTokenType,
        token_type: 'Bearer',
        expires_in: Math.floor((token.expiresAt - token.createdAt) / 1000),
        scope,
        // Beyond the RFC: what `docker login` wants beside the token, and what revokes it.
        username: token.teamId,
        id: token.id,
      };
    });
  };
}

/** `POST /oauth/revoke` (RFC 7009): whoever holds a token may end it. */
export function createRevocationEndpoint(services: ApiServices) {
  const { metadata, clock } = services;
  return async (req: Request, res: Response): Promise<void> => {
    await answer(services, res, async () => {
      const address = services.origins.clientAddress(req);
      await services.limits.take('token', res, undefined, address);
      const form = formOf(req);
      const secret = form('token')[0];
      if (secret === undefined || form('token').length > 1) {
        return invalid('The parameter token must be given once.');
      }
      const hash = hashSecret(secret);
      const issued = await metadata.issuedTokens.findByHash(hash);
      if (issued) {
        await metadata.writer.run('RevokeIssuedToken', { id: issued.id, now: clock.now() });
        services.audit.record({
          identity: { id: issued.id, kind: 'token', actor: issued.name },
          address,
          action: 'revokeOwnToken',
          target: issued.id,
          teamId: issued.teamId,
          result: 'ok',
        });
        return {};
      }
      const { dropped } = await metadata.writer.run('DropRefreshToken', { hash });
      if (!dropped && (await metadata.tokens.findByHash(hash))) {
        return {
          status: 400,
          error: 'unsupported_token_type',
          description:
            'Tokens that a person made are revoked where they were made: DELETE /api/v1/…/tokens/<id>, or npx gantry admin token revoke <id>.',
        };
      }
      // RFC 7009, section 2.2: a token that is not known is revoked already.
      return {};
    });
  };
}

async function answer(
  services: ApiServices,
  res: Response,
  work: () => Promise<object | OAuthError>,
): Promise<void> {
  res.setHeader('Cache-Control', 'no-store');
  res.setHeader('X-Content-Type-Options', 'nosniff');
  try {
    const body = await work();
    if ('error' in body) sendError(res, body as OAuthError);
    else res.status(200).json(body);
  } catch (error) {
    const { kind, message, detail } = toErrorInfo(error);
    if (kind === 'internal') {
      services.logger.error('OAuth endpoint failed', { cause: describe(error) });
    }
    if (kind === 'invalid') return sendError(res, invalid(message));
    const busy = kind === 'too-many-requests';
    res.setHeader('Retry-After', String((busy && detail?.retryAfter) || 5));
    sendError(res, {
      status: kind === 'internal' ? 500 : busy ? 429 : 503,
      error: kind === 'internal' ? 'server_error' : 'temporarily_unavailable',
      description: message,
    });
  }
}

function sendError(res: Response, { status, error, description }: OAuthError): void {
  res.status(status).json({ error, error_description: plain(description) });
}

/** RFC 6749, section 5.2: printable ASCII without quotation marks and backslashes. */
function plain(text: string): string {
  return text
    .replaceAll('"', "'")
    .replaceAll('\\', '/')
    .replaceAll('…', '...')
    .replace(/[^\x20-\x7e]/g, '?');
}

function wrongForm(form: Form): OAuthError | undefined {
  for (const name of ['grant_type', 'subject_token', 'subject_token_type', 'scope', 'team']) {
    if (form(name).length > 1) return invalid(`The parameter ${name} must not be given twice.`);
  }
  const [grant] = form('grant_type');
  if (grant === undefined) return invalid(`The parameter grant_type is missing: ${exchangeGrant}.`);
  if (grant !== exchangeGrant) {
    const description = `The only grant_type here is ${exchangeGrant}. docker's own are at /token.`;
    return { status: 400, error: 'unsupported_grant_type', description };
  }
  if (form('subject_token').length === 0) {
    return invalid('The parameter subject_token is missing: the JWT of the CI job.');
  }
  const [type] = form('subject_token_type');
  if (type === undefined || !jwtTypes.includes(type)) {
    return invalid(`The subject_token_type must be ${jwtTypes.join(' or ')}.`);
  }
  if (form('actor_token').length > 0 || form('actor_token_type').length > 0) {
    return invalid('An actor_token is not supported: the token acts for its own subject.');
  }
  const [requested = accessTokenType] = form('requested_token_type');
  if (requested !== accessTokenType) {
    return invalid(`The requested_token_type must be ${accessTokenType}, or be left out.`);
  }
  return undefined;
}

function invalid(description: string): OAuthError {
  return { status: 400, error: 'invalid_request', description };
}

/** RFC 6749, section 3.2: parameters without a value count as left out. */
function formOf(req: Request): Form {
  const body = (req.body ?? {}) as Record<string, unknown>;
  return (name) => {
    const value = Object.hasOwn(body, name) ? body[name] : undefined;
    const all = Array.isArray(value) ? value : [value];
    return all.filter((one): one is string => typeof one === 'string' && one !== '');
  };
}
