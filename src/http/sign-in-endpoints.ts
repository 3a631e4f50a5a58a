import express, { type NextFunction, type Request, type Response, type Router } from 'express';
import { sameText } from '../auth/sessions.ts';
import { describe, refuse } from '../oci/errors.ts';
import type { ApiServices } from './api/api-services.ts';
import { toErrorInfo, toErrorResponse } from './errors.ts';
import { type SignInPage, signInHeaders, signInPage } from './sign-in-page.ts';
import { recordingSignIn } from './sign-in-record.ts';
import { createFormLimit } from './token-endpoint.ts';

export const flowCookie = 'gantry_signin';
const home = '/signin';

/** The door for browsers, below /signin: a page, the way to the provider and back, a form for tokens. */
export function createSignInRouter(services: ApiServices): Router {
  const { cookies, signIn, origins } = services;
  const router = express.Router();
  const form = [
    createFormLimit(services),
    express.urlencoded({ extended: false, limit: '16kb', parameterLimit: 10 }),
  ];

  /** Runs `work`; what it refuses is said on the page. */
  const page =
    (work: (req: Request, res: Response) => Promise<void>) =>
    async (req: Request, res: Response): Promise<void> => {
      res.set(signInHeaders);
      try {
        await work(req, res);
      } catch (error) {
        const info = toErrorInfo(error);
        if (info.kind === 'internal') {
          services.logger.error('signing in failed', { cause: describe(error) });
        }
        const { status } = toErrorResponse(info);
        if (status === 503 || status === 429) {
          res.set('Retry-After', String(info.detail?.retryAfter ?? 5));
        }
        const returnTo = returnToOf(req.query.return_to ?? req.body?.return_to);
        send(res, status, { provider: signIn?.provider, returnTo, refused: info });
      }
    };

  router.get(
    '/',
    page(async (req, res) => {
      const live = await cookies.current(req);
      const returnTo = returnToOf(req.query.return_to);
      if (live && returnTo !== home) return res.redirect(303, returnTo);
      const signedIn = live && { actor: live.identity.actor, csrfToken: live.csrfToken };
      send(res, 200, { provider: signIn?.provider, returnTo, signedIn });
    }),
  );

  router.get(
    '/oidc',
    page(async (req, res) => {
      if (!signIn) throw noProvider();
      const redirectUri = `${origins.of(req).url}${home}/callback`;
      const { url, flow } = await signIn.begin(redirectUri, returnToOf(req.query.return_to));
      cookies.write(req, res, flowCookie, flow, { maxAgeSeconds: signIn.flowMs / 1000 });
      res.redirect(303, url);
    }),
  );

  router.get(
    '/callback',
    page(async (req, res) => {
      if (!signIn) throw noProvider();
      const flow = cookies.read(req, flowCookie);
      // Whatever comes of it, it is good once.
      cookies.write(req, res, flowCookie, '', { maxAgeSeconds: 0 });
      const mark = req.originalUrl.indexOf('?');
      const query = mark < 0 ? '' : req.originalUrl.slice(mark);
      let returnTo = home;
      await recordingSignIn(services, req, 'provider', async () => {
        const { accountId, ...rest } = await signIn.finish(query, flow);
        returnTo = rest.returnTo;
        return cookies.begin(req, res, (visitor) => cookies.sessions.open({ accountId }, visitor));
      });
      res.redirect(303, returnTo);
    }),
  );

  router.post(
    '/token',
    ...form,
    page(async (req, res) => {
      // Else a page of another site could sign somebody in as its own user, unseen.
      cookies.requireSameOrigin(req);
      const token = textOf(req.body?.token).trim();
      await recordingSignIn(services, req, 'session', () =>
        cookies.begin(req, res, (visitor) => cookies.sessions.openByToken(token, visitor)),
      );
      res.redirect(303, returnToOf(req.body?.return_to));
    }),
  );

  router.post(
    '/out',
    ...form,
    page(async (req, res) => {
      cookies.requireSameOrigin(req);
      const live = await cookies.current(req);
      if (live && !sameText(textOf(req.body?.csrf), live.csrfToken)) {
        throw refuse('denied', 'The form is of another session.', 'Open this page again.');
      }
      await cookies.end(req, res);
      res.redirect(303, home);
    }),
  );

  router.use((_error: unknown, _req: Request, res: Response, _next: NextFunction) => {
    if (res.headersSent) return void res.destroy();
    const refused = { message: 'The request is malformed or too large.' };
    res.set(signInHeaders);
    send(res, 400, { provider: signIn?.provider, returnTo: home, refused });
  });
  return router;
}

function send(res: Response, status: number, page: SignInPage): void {
  res.status(status).type('html').send(signInPage(page));
}

function noProvider() {
  return refuse(
    'not-found',
    'This registry signs people in with tokens alone.',
    'Its operator sets a provider with GANTRY_SIGNIN_ISSUER.',
  );
}

/** A path of this origin, whatever was asked for: what else it could be read as leads elsewhere. */
export function returnToOf(value: unknown): string {
  const path = textOf(value);
  if (!/^\/(?![/\\])[\x21-\x5b\x5d-\x7e]{0,1000}$/.test(path)) return home;
  const base = 'http://base.invalid';
  return new URL(path, base).origin === base ? path : home;
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
