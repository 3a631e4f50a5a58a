/** What was asked for was refused, by the server or before it was reached. */
export class Refused extends Error {
  override readonly name = 'Refused';
  readonly code: string;
  readonly hint: string;

  constructor(refusal: { code: string; message: string; hint: string }, options?: ErrorOptions) {
    super(refusal.message, options);
    this.code = refusal.code;
    this.hint = refusal.hint;
  }
}
