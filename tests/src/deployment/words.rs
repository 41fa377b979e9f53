//! The language of the plans: French, with emoji, as in the real corpus.

use fastrand::Rng;

pub(super) const TOPICS: [&str; 16] = [
    "écosystème de synchronisation",
    "migration vers Qdrant",
    "gestionnaire d'erreurs",
    "réplication des données",
    "tableau de bord",
    "détection des conflits",
    "intégration continue",
    "mémoire contextuelle",
    "validation des schémas",
    "ordonnanceur de tâches",
    "modèles de gabarits",
    "sauvegarde à chaud",
    "contrôle d'accès",
    "analyse sémantique",
    "déploiement bleu-vert",
    "métriques de charge",
];

const BEGINNINGS: [&str; 12] = [
    "Vérifier que",
    "Implémenter",
    "Documenter",
    "Déplacer vers la couche dédiée",
    "Mesurer puis réduire",
    "Écrire les tests de",
    "Supprimer l'ancien chemin pour",
    "Préparer à l'avance",
    "Relire avec l'équipe",
    "Généraliser",
    "Isoler derrière une interface",
    "Automatiser",
];

const MIDDLES: [&str; 12] = [
    "la découpe des phases",
    "le suivi de progression",
    "l'encodage des vecteurs à 384 dimensions",
    "la reprise après coupure",
    "les métadonnées jsonb",
    "l'ordre des tâches dépendantes",
    "le rapprochement Markdown ↔ base",
    "la file d'attente des synchronisations",
    "l'indexation différée",
    "le calcul des sommes de contrôle",
    "les plans archivés depuis l'été",
    "la résolution manuelle (côté source)",
];

const ENDINGS: [&str; 10] = [
    "sans perte de contenu",
    "en moins de 60 s",
    "avec reprise idempotente",
    "pour les équipes à distance",
    "dès la prochaine itération",
    "– à confirmer",
    "« comme convenu »",
    "sur les 3 environnements",
    "et mesurer l'écart (≤ 5 %)",
    "une fois la revue terminée",
];

pub(super) const EMOJI: [&str; 12] = ["📊", "🚀", "✅", "⚠️", "🔍", "🧪", "📝", "🗄️", "⚡", "🎯", "👩‍💻", "🇫🇷"];

pub(super) fn sentence(random: &mut Rng) -> String {
    let mut text = format!("{} {} {}", pick(random, &BEGINNINGS), pick(random, &MIDDLES), pick(random, &ENDINGS));
    if random.u8(..6) == 0 {
        text.push(' ');
        text.push_str(pick(random, &EMOJI));
    }
    text
}

pub(super) fn pick<'a>(random: &mut Rng, from: &[&'a str]) -> &'a str {
    from[random.usize(..from.len())]
}

/// A random UUID, version 4.
pub(super) fn uuid(random: &mut Rng) -> String {
    let bits = (random.u128(..) & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{bits:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
