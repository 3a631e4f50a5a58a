/** Why a layer must not be run; `message` is the reason for people. */
export class Unfit extends Error {
  override readonly name = 'Unfit';
  readonly state: 'over' | 'mismatch';

  constructor(state: 'over' | 'mismatch', reason: string) {
    super(reason);
    this.state = state;
  }
}
