/**
 * What the system itself answers, without marketing, in the language of the person's word. Plain GSM-7 letters where
 * the language allows: one part each, as long as name and contact are short.
 */
import type { ConsentScope } from '../domain/consent-scope.ts';
import type { LanguageCode } from './words/index.ts';

export type SystemKind = 'opt_out_confirmation' | 'opt_in_confirmation' | 'help';

interface Texts {
  readonly all: string;
  readonly marketing: string;
  readonly optIn: string;
  readonly help: string;
  /** Comes before the contact. */
  readonly contact: string;
}

const TEXTS: Readonly<Record<LanguageCode, Texts>> = {
  en: {
    all: 'You have opted out and will get no more texts from us. Reply START to undo this.',
    marketing: 'You have opted out of marketing texts. Reply START to undo this.',
    optIn: 'You have opted in to texts again. Reply HELP for help, STOP to opt out.',
    help: 'Reply STOP to get no more texts. Msg & data rates may apply.',
    contact: 'For help:',
  },
  es: {
    all: 'Se ha dado de baja y no recibirá más mensajes. Responda START para volver.',
    marketing: 'Se ha dado de baja de los mensajes publicitarios. Responda START para volver.',
    optIn: 'Vuelve a recibir mensajes. Responda AYUDA para ayuda, STOP para darse de baja.',
    help: 'Responda STOP para no recibir más mensajes. Pueden aplicarse tarifas.',
    contact: 'Ayuda:',
  },
  fr: {
    all: 'Vous êtes désabonné et ne recevrez plus de SMS. Répondez START pour revenir.',
    marketing: 'Vous êtes désabonné des SMS publicitaires. Répondez START pour revenir.',
    optIn: 'Vous recevez à nouveau nos SMS. Répondez AIDE pour aide, STOP pour arrêter.',
    help: 'Répondez STOP pour ne plus recevoir de SMS. Tarif SMS standard.',
    contact: 'Aide :',
  },
  de: {
    all: 'Sie sind abgemeldet und erhalten keine SMS mehr. Antworten Sie START, um das aufzuheben.',
    marketing: 'Sie sind von Werbe-SMS abgemeldet. Antworten Sie START, um das aufzuheben.',
    optIn: 'Sie sind wieder angemeldet. HILFE für Hilfe, STOP zum Abmelden.',
    help: 'Antworten Sie STOP, um keine SMS mehr zu erhalten.',
    contact: 'Hilfe:',
  },
  pt: {
    all: 'Inscrição cancelada: não enviaremos mais mensagens. Responda START para voltar.',
    marketing: 'Mensagens publicitárias canceladas. Responda START para voltar.',
    optIn: 'Você voltou a receber mensagens. Responda AJUDA para ajuda, STOP para sair.',
    help: 'Responda STOP para não receber mais mensagens.',
    contact: 'Ajuda:',
  },
};

export interface ReplySettings {
  /** Variable BRAND_NAME. */
  readonly brand: string | undefined;
  /** Variable HELP_CONTACT: a mail address, phone number or page. */
  readonly helpContact: string | undefined;
}

export function replyText(
  kind: SystemKind,
  language: LanguageCode,
  scope: ConsentScope,
  { brand, helpContact }: ReplySettings,
): string {
  const texts = TEXTS[language];
  const prefix = brand ? `${brand}: ` : '';
  if (kind === 'help') {
    return `${prefix}${helpContact ? `${texts.contact} ${helpContact}. ` : ''}${texts.help}`;
  }
  return prefix + (kind === 'opt_in_confirmation' ? texts.optIn : texts[scope]);
}
