import { createHash } from 'node:crypto';

const style = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 24rem; margin: 12vh auto 0; padding: 0 1rem; }
h1 { font-size: 1.4rem; }
.button, button { display: block; width: 100%; box-sizing: border-box; padding: .6rem; border: 0; border-radius: 6px;
  background: #2f5bd8; color: #fff; font: inherit; text-align: center; text-decoration: none; cursor: pointer; }
label { display: block; margin: 1.5rem 0 .3rem; }
input { width: 100%; box-sizing: border-box; padding: .5rem; margin-bottom: .6rem; font: inherit; border: 1px solid #8888; border-radius: 6px; }
.refused { border-left: 4px solid #c33; padding: .2rem .8rem; }
.quiet { opacity: .7; font-size: .9rem; }
`;

/** The page runs nothing and loads nothing; its forms go nowhere else. */
export const signInHeaders = {
  'Content-Security-Policy': `default-src 'none'; style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`,
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  // With less, browsers would send "Origin: null" with its forms.
  'Referrer-Policy': 'same-origin',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cache-Control': 'no-store',
} as const;

export interface SignInPage {
  /** Host of the provider; undefined: tokens alone. */
  readonly provider: string | undefined;
  /** A path of this origin. */
  readonly returnTo: string;
  readonly refused?: { readonly message: string; readonly hint?: string | undefined } | undefined;
  /** Who is signed in. */
  readonly signedIn?: { readonly actor: string; readonly csrfToken: string } | undefined;
}

export function signInPage({ provider, returnTo, refused, signedIn }: SignInPage): string {
  const notice = refused
    ? `<p class="refused" role="alert">${escapeHtml(refused.message)} ${escapeHtml(refused.hint ?? '')}</p>`
    : '';
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sign in to Gantry</title><style>${style}</style></head><body>
<h1>Gantry</h1>
${notice}
${signedIn ? signedInPart(signedIn) : signInPart(provider, returnTo)}
</body></html>
`;
}

function signInPart(provider: string | undefined, returnTo: string): string {
  const path = escapeHtml(returnTo);
  const button = provider
    ? `<p><a class="button" href="/signin/oidc?return_to=${encodeURIComponent(returnTo)}">Sign in with ${escapeHtml(provider)}</a></p>`
    : '';
  return `${button}
<form method="post" action="/signin/token">
<input type="hidden" name="return_to" value="${path}">
<label for="token">${provider ? 'Or with a token' : 'Sign in with a token'}</label>
<input id="token" name="token" type="password" autocomplete="off" spellcheck="false" required placeholder="gnt_…">
<button>Sign in</button>
</form>
<p class="quiet">Tokens are made with <code>npx gantry admin token create</code>, or by API.</p>`;
}

function signedInPart({ actor, csrfToken }: { actor: string; csrfToken: string }): string {
  return `<p>You are signed in as <strong id="actor">${escapeHtml(actor)}</strong>.</p>
<p><a href="/api/v1/docs">The API</a></p>
<form method="post" action="/signin/out">
<input type="hidden" name="csrf" value="${escapeHtml(csrfToken)}">
<button>Sign out</button>
</form>`;
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
