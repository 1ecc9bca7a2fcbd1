/** The one session of a page load. */
import { report } from '../core/messages';
import { Session } from '../core/session';

export const session = new Session(report);
