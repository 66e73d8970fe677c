/** Five stories: what to fill in, what to do, and what to watch for. */
import { compact, el, freshNumber } from './demo-kit.js';

const text = (words) => el('p', {}, words);
const steps = (...items) => el('ol', {}, ...items.map((item) => el('li', {}, ...[item].flat())));

export const stories = [
  {
    title: 'A new customer',
    fill: () => ({ firstName: 'Ada' }),
    tell: () => [
      text(
        'The profile store knows nothing yet; the form says number and yes. Sign up: the text is there at once.',
      ),
    ],
  },
  {
    title: 'The profile says no',
    fill: () => ({ customer: 'c-1004', number: '+1 617 555 0104' }),
    tell: () => [
      text(
        'Last night’s batch says that Radia wants no texts; her form says yes. By the default policy a no wins.',
      ),
    ],
  },
  {
    title: 'Two numbers',
    fill: () => ({ customer: 'c-1001' }),
    tell: () => [
      text(
        'Ada types another number than the one in her profile. The profile’s is used, and the yes for the other number does not count for it.',
      ),
    ],
  },
  {
    title: 'The batch comes later',
    fill: () => ({ firstName: 'Lin', number: '' }),
    tell: (page) => {
      const said = el('span', { class: 'done' });
      const button = el('button', { type: 'button', class: 'small' }, 'Let tonight’s batch bring it');
      button.addEventListener('click', async () => {
        const profile = { MOBILE_NUMBER: compact(freshNumber()), SMS_CONSENT: true, SMS_VALID: true };
        said.textContent = (await page.writeProfile(profile)) ? ' It has arrived.' : ' That did not work.';
      });
      return [
        steps(
          'Nobody knows a number yet. Sign up: no text.',
          [button, said],
          'Sign up again: the profile fills the gap.',
        ),
      ];
    },
  },
  {
    title: 'STOP',
    fill: () => ({ firstName: 'Sam' }),
    tell: () => [
      steps(
        'Sign up: the text arrives.',
        'Answer STOP on the phone.',
        'Sign up again: no text, though the form says yes. Only START on that phone, or another explicit opt-in, lifts it.',
      ),
    ],
  },
];
