"""Words of imaging procedures and body parts: the only ones a description may consist of to be told.

Descriptions of study and series are free text into which operators type what they like, names of
patients included; DICOM PS3.15 table E.1-1 has them cleaned. So one is told only where every word
of it stands here, and a body part (PS3.16 annex L, defined terms of (0018,0015)) likewise.
"""

from __future__ import annotations

import re

MAX_WORDS = 12

_BODY = """
abdomen abdomenpelvis adrenal ankle aorta aorticarch appendix arm artery axilla back bladder blood body bone
bowel brain breast bronchus calcaneus carotid cerebellum cerebral cervical cervix chest chestabdomen
chestabdpelvis clavicle coccyx colon cornea coronary coronaryartery cspine ctspine duodenum ear elbow
esophagus extremity eye eyelid face femur finger foot gallbladder hand head headneck heart hip humerus ileum
ilium iac jaw jejunum joint kidney knee larynx leg liver lower lspine lsspine lumbar lung lungs mandible
maxilla mediastinum mouth muscle neck neckchest nose orbit ovary pancreas parotid pelvis penis pharynx
prostate rectum renal rib ribs sacrum scalp scrotum sella shoulder sinus sinuses skin skull sm spine spleen
sternum stomach tspine testis thigh thoracic thorax thumb thymus thyroid tibia toe tongue trachea ureter
urethra uterus vagina vein vessel vulva whole wholebody wrist zygoma upper
abdomens becken bauch bein brust darm ellenbogen finger fuss gelenk hals halswirbelsaeule hand handgelenk
herz hueft huefte hws knie kopf leber lunge lws bws mamma milz niere nieren oberarm oberschenkel schaedel
schulter sprunggelenk unterarm unterschenkel wirbelsaeule gehirn
"""
_PROCEDURE = """
ct mr mri us pet spect xa dx cr dr nm mg mammo mammography angio angiography angiogram cta mra mrcp echo
echocardiogram ultrasound sonography sono doppler duplex tomography tomosynthesis fluoroscopy fluoro xray
radiography radiograph scan scout localizer topogram scanogram series study exam examination protocol
routine standard low dose lowdose high resolution hr hrct contrast with without w wo and or of the mit ohne
km iv oral native nativ pre post delayed arterial venous portal phase phases early late dynamic perfusion
diffusion dwi adc flair t1 t2 t1w t2w pd stir tse fse gre se ssfp haste space mprage vibe tirm swi tof dti
fat sat fatsat fs dixon ax axial cor coronal sag sagittal tra transversal oblique obl ap pa lat lateral
frontal left right links rechts both bilateral l r li re thin thick slices slice recon reconstruction
mpr mip vr 3d 2d 4d mm cm soft tissue bone window lungwindow kernel medium smooth sharp sequence
chest screening follow up followup control stroke trauma polytrauma emergency biopsy intervention
interventional guided stent stress rest gated ecg functional planning therapy simulation portable bedside
stationary supine prone upright standing dose report summary secondary capture key images spiral helical
sequential cine loop long short axis chamber view views aufnahme uebersicht ebene ebenen kontrolle
"""
_KNOWN = frozenset((_BODY + _PROCEDURE).split())
_BODY_PARTS = frozenset(_BODY.split())
_PARTS = re.compile(r"[^0-9a-zäöüß]+")
# Letters of other scripts are no separators: what they spell is not known here.
_STRANGE = re.compile(r"[^\x20-\x7eäöüßÄÖÜ]")
# Thickness and number of slices, of phases and planes: no number of a person is that short.
_SMALL_NUMBER = re.compile(r"[0-9]{1,2}(?:mm)?\Z")


def procedure_words(text: str) -> str:
    """Return ``text`` where it consists of words of procedures and body parts alone, else "".

    >>> procedure_words("CT Thorax W/O Contrast")
    'CT Thorax W/O Contrast'
    >>> procedure_words("CT Thorax Doe")
    ''
    """
    words = _words(text)
    if not words or len(words) > MAX_WORDS or not any(word in _KNOWN for word in words):
        return ""
    for word in words:
        folded = word.replace("ä", "ae").replace("ö", "oe").replace("ü", "ue").replace("ß", "ss")
        if folded not in _KNOWN and len(word) > 1 and not _SMALL_NUMBER.match(word):
            return ""
    if sum(len(word) == 1 or word.isdigit() for word in words) > 3:
        return ""  # letters and figures one by one could spell anything
    return text


def body_part(value: str) -> str:
    """Return a coded body part where it is a defined term (possibly with a side), else ""."""
    words = _words(value)
    return value if 0 < len(words) <= 3 and all(word in _BODY_PARTS for word in words) else ""


def _words(text: str) -> list[str]:
    if _STRANGE.search(text):
        return []
    return [word for word in _PARTS.split(text.lower()) if word]
