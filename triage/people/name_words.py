"""Words that decide whether a capitalised word in a note is likely a name: common given names, and what is none.

The lists are short on purpose. They only raise a notice to the author, who may ignore it, and they draw on the given
names of all communities of the county, so that nobody's name is easier to leave in a note than another's.
"""

from typing import Final


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


GIVEN_NAMES: Final = _words(
    """
    aaliyah aaron abbie abdul abdullah abigail adam adebayo adrian agnieszka ahmed aisha alan albert alex ali
    alexander alexandra alfie alice alina alison amanda amelia amina amir amit amy ana anastasia andreea andrei andrew
    andrzej angela anita anjali anna anne annie anthony archie arjun arthur asha ashley ayesha babatunde barbara barry
    beata becky ben benjamin beth bethany billy blessing bogdan brandon brenda brian bridget callum cameron carl carol
    caroline catherine charlie charlotte chidi chinedu chloe chris christine christopher claire clive colin connor
    craig cristian daniel danielle danny darren dave david dawid deborah deepak denise dennis derek diane dipa dominic
    donna dorota dorothy edward eileen elaine elena eleanor elizabeth ella ellie emeka emily emma eric ethan eva
    evelyn ewa farah fatima fatma fiona florin folake freya gabriel gareth gary gavin gemma geoff george georgia
    gillian grzegorz gurpreet hamza hannah harpreet harriet harry hassan hayley heather helen henry hussain ian
    ibrahim imran ioana irene isaac isabella ishaan isla ismail jack jackie jacob jake jakub james jamie jamila jane
    janet jaspreet jason jayden jean jennifer jenny jeremy jerome jessica joan joanna joanne john jonathan jordan
    joseph josh joshua joyce judith julia julie justin kamal karen karolina kate katarzyna katherine kathleen katie
    kavita kayleigh keith kelly kelvin ken kenneth kerry kevin khadija kieran kim kimberley kofi krzysztof kwame kyle
    lauren laura leah leanne lee leon leroy lewis liam linda lisa louise lucas lucy luke magdalena malcolm malgorzata
    marcin marek margaret maria marian marie mariam marta martin mary maryam mateusz matthew maureen megan mehmet
    melissa mia michael michal michelle mihai mike mohamed mohammad mohammed monika monique muhammad musa mustafa
    nadia naomi natalie natasha nathan neil ngozi niamh nicholas nicola nigel nikhil noah nuala oliver olivia olu
    oluwaseun omar owen pamela patricia patrick paul paula pawel peter phil philip phoebe piotr poppy pradeep priya
    rachel radu rahul raj rajesh ravi rebecca reece rhys ricardo richard robert rohan roger ronald rosie roxanne ruth
    ryan safiya sakina saira salma samantha samina samuel sandeep sandra sanjay sara sarah sean sebastian shabnam
    shahid shanice sharon shaun sheila shirley sian simon simran sofia sophia sophie stacey stanley stefan stephanie
    stephen steve steven stewart stuart sunita suresh susan suzanne tanya tariq terence teresa theo theresa thomas
    timothy tina toby tomasz tony tracey tracy trevor tyrone usman valerie vanessa vasile veronica victor victoria
    vijay vikram vincent vivian wanda waqas wayne wendy wesley william winston wojciech yasmin yusuf yvonne zac
    zachary zahra zainab zara zoe zofia
    """
)
"""In lower case. A name here counts wherever it stands, capital or not."""

GIVEN_NAMES_ALSO_WORDS: Final = _words(
    """
    amber angel bill bob dan dawn daisy dean drew ed faith frank grace guy hope iris ivy jade jess jo joe joy lily
    lola mark matt max nick pat penny pip precious ray rob robin rose ruby sam scarlett sky sonny stan sue summer tim
    tom will
    """
)
"""Given names that are common words or abbreviations: they count only with a capital, inside a sentence."""

NOT_NAMES: Final = _words(
    """
    monday tuesday wednesday thursday friday saturday sunday january february march april may june july august
    september october november december christmas easter ramadan diwali eid bank holiday

    bedford bedfordshire beds luton central dunstable houghton regis leighton buzzard linslade biggleswade sandy
    flitwick ampthill kempston stotfold arlesey shefford cranfield toddington barton harlington potton wixams wootton
    clapham leagrave limbury sundon stopsley bury marsh farm lewsey farley wigmore crawley dallow biscot challney
    icknield northwell bramingham saints round green high town vauxhall barnfield bushmead warden purley wardown
    stockwood goldington brickhill putnoe cauldwell castle queens harpur newnham kingsbrook elstow eastcotts riseley
    sharnbrook whipsnade caddington slip england english britain british scotland wales ireland irish polish romanian
    london hertfordshire hertford herts stevenage watford hitchin letchworth milton keynes buckinghamshire bucks
    cambridge cambridgeshire northampton northamptonshire peterborough essex harlow aylesbury north south east west
    northern southern eastern western upper lower old new great little saint st

    street road lane avenue close way drive court crescent gardens grove place square terrace hill park green bridge
    river station airport parkway junction roundabout motorway services mall centre center arndale market house flat
    block tower floor room wing ward suite unit hospital surgery clinic practice pharmacy hospice home hotel hostel
    inn arms tesco asda sainsburys aldi lidl morrisons mcdonalds costa greggs premier travelodge wetherspoons school
    college university academy church mosque temple library council borough county office building

    nhs mental health trust foundation crisis team triage police officer constable sergeant inspector force control
    ambulance paramedic crew fire service services nurse doctor gp consultant practitioner psychiatric psychiatry
    liaison community care coordinator social worker support duty manager approved professional agency agencies
    emergency department accident minor injuries street samaritans mind shelter salvation army cafe sanctuary
    childline calm turning point resolutions path to recovery drug alcohol anonymous children childrens adult adults
    safeguarding hub local authority section act code practice order power powers place safety assessment plan line
    home treatment intensive early intervention psychosis eating disorder personality bipolar borderline autism
    autistic adhd ptsd mr mrs ms miss dr sir mum mam mom dad nan gran grandad grandma mother father god jesus allah
    christian muslim hindu sikh catholic jewish english facebook whatsapp instagram snapchat tiktok google zoom teams
    uber weller calnwood oakley townsend fountains lister addenbrookes amhp camhs hbpos cctv pace dnar mhst eput elft
    iapt sarc marac mappa
    """
)
"""In lower case: days, places, roads, services, illnesses. A run of capitals with one of these in it is no name."""

TITLES: Final = _words(
    """
    mr mrs ms miss mx dr prof rev sir pc pcso dc ds di sgt insp nurse brother sister son daughter wife husband partner
    friend girlfriend boyfriend mum mother dad father neighbour carer
    """
)
"""In lower case: behind one of these, itself with a capital, a capitalised word is a name."""

INTRODUCTIONS: Final = (
    *(" called", " named", " name is", " name", " known as", " aka", " goes by"),
    *(" brother", " sister", " son", " daughter", " wife", " husband", " partner", " friend", " girlfriend"),
    *(" boyfriend", " mum", " mother", " dad", " father", " neighbour", " carer"),
)
"""In lower case, with the space before: a capitalised word behind one of these is a name."""

OPENERS: Final = _words(
    """
    a about after all also and any as at because before both but by can could did do does during even felt for found
    from gave given got had has he her here him his however i if in into is it its just keen known last later left let
    lives living made male female meeting met no none not now of off on once one only or our out over patient per pt
    said same saw say says seen sent she since so some soon spoke states still taken than that the their them then
    there these they this those through to told took two under until up upon using very via very was we well went were
    what when where which while who why will with within without would yes yet you your very calm safe quiet tearful
    upset
    """
)
"""In lower case: words that begin a sentence, and so a capital, without being a name. So do words in -ed and -ing."""
