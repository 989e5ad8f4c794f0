"""Categories and the things that belong to them: closed lists, by which answers to "Name a fruit." are scored.

Entries stand between commas. An entry with several spellings has `=` between them, its key first: `gray=grey`.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Literal, NamedTuple

SPELLINGS = 6
"""Most spellings of one thing; the exact tier reads the model once for each."""


class Category(NamedTuple):
    """A category.

    Attributes:
        asked: The category with its article, as the question has it.
        kind: `thing` has a plural and an article (an apple, apples), `stuff` has neither (tennis, red), `name` neither,
            and begins with a capital (France).
        entries: The things, between commas.
    """

    asked: str
    kind: Literal["thing", "stuff", "name"]
    entries: str

    def answers(self) -> dict[str, str]:
        """Every text that counts as an answer, a space in front -> the key of the thing."""
        found: dict[str, str] = {}
        for entry in self.entries.split(","):
            names = [" ".join(name.split()) for name in entry.split("=")]
            for spelling in islice(dict.fromkeys(_spellings(names, self.kind)), SPELLINGS):
                found.setdefault(f" {spelling}", names[0].lower())
        return found


def _spellings(names: list[str], kind: str) -> list[str]:
    """The spellings of a thing, likely ones first. A plural that is listed as a name is irregular."""
    first = names[0]
    found = [*names, *(name[0].upper() + name[1:] for name in names)]
    if " " in first:
        found.append(first.title())
    if kind == "thing" and len(names) == 1:
        found += [_plural(first), f"{'an' if first[0].lower() in 'aeiou' else 'a'} {first}"]
    return [*found, f"{first}.", f"{first[0].upper()}{first[1:]}.", first.lower()]


def _plural(noun: str) -> str:
    """The plural by rule: apples, cherries, peaches."""
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return f"{noun[:-1]}ies"
    return f"{noun}es" if noun.endswith(("s", "x", "z", "ch", "sh")) else f"{noun}s"


CATEGORIES: Mapping[str, Category] = {
    "fruit": Category("a fruit", "thing", """
        apple, banana, orange, grape, strawberry, blueberry, raspberry, blackberry, mango=mangoes=mangos, pineapple,
        papaya, peach, pear, plum, cherry, kiwi, lemon, lime, watermelon, melon, cantaloupe, honeydew, apricot, fig,
        date, pomegranate, coconut, guava, lychee, passion fruit=passionfruit, grapefruit, tangerine, mandarin,
        clementine, nectarine, cranberry, avocado, tomato=tomatoes, dragon fruit=dragonfruit, persimmon,
        star fruit=starfruit, quince, olive, mulberry, durian, jackfruit, currant, gooseberry, elderberry, plantain,
        satsuma, kumquat, pomelo, loquat, boysenberry, rambutan, mangosteen, tamarind, breadfruit, soursop,
        blood orange, prune, raisin"""),
    "animal": Category("an animal", "thing", """
        dog, cat, lion, tiger, bear, elephant, giraffe, zebra, horse, cow, pig, sheep=a sheep, goat, rabbit, fox,
        wolf=wolves=a wolf, deer=a deer, monkey, gorilla, chimpanzee=chimp, kangaroo, koala, panda, penguin, eagle, owl,
        hawk, parrot, dolphin, whale, shark, octopus, crocodile, alligator, snake, lizard, turtle, tortoise, frog,
        mouse=mice=a mouse, rat, squirrel, hamster, leopard, cheetah, jaguar, hippopotamus=hippo, rhinoceros=rhino,
        camel, llama, alpaca, bat, bee, ant, butterfly, spider, fish=a fish, salmon=a salmon, seal, otter, beaver,
        raccoon, skunk, moose=a moose, elk, bison=a bison, buffalo, donkey, duck, chicken, turkey, goose=geese=a goose,
        swan, peacock, flamingo, ostrich, emu, sloth, platypus, hedgehog, porcupine, meerkat, lemur, orangutan, hyena,
        lynx, puma, cougar, walrus, narwhal, bird, toad, crab, lobster, starfish, jellyfish, squid, manatee, armadillo,
        badger, weasel, ferret, mole, chameleon, iguana, gecko, pigeon, dove, crow, raven, sparrow, robin, falcon,
        woodpecker, hummingbird, pelican, seagull, puppy, kitten, polar bear, guinea pig, chipmunk, antelope, gazelle,
        bobcat, coyote, jackal, baboon, ape, wombat, tapir, yak, mule, pony, bull, hare, newt, salamander, crane,
        stork"""),
    "color": Category("a color", "stuff", """
        red, blue, green, yellow, orange, purple, pink, black, white, gray=grey, brown, violet, indigo, cyan, magenta,
        turquoise, teal, maroon, navy=navy blue, gold, silver, beige, lavender, crimson, scarlet, aqua, lime=lime green,
        olive=olive green, coral, peach, tan, khaki, burgundy, mauve, ivory, amber, emerald=emerald green, sapphire,
        ruby, azure, charcoal, bronze, copper, fuchsia, mint, mustard, rose, salmon, plum, cream, lilac, taupe, ochre,
        sienna, umber, chartreuse, periwinkle, vermilion, cerulean, cobalt, light blue, dark blue, sky blue, royal blue,
        dark green, light green"""),
    "country": Category("a country", "name", """
        Afghanistan, Albania, Algeria, Andorra, Angola, Argentina, Armenia, Australia, Austria, Azerbaijan,
        Bahamas=the Bahamas, Bahrain, Bangladesh, Barbados, Belarus, Belgium, Belize, Benin, Bhutan, Bolivia,
        Bosnia=Bosnia and Herzegovina, Botswana, Brazil, Brunei, Bulgaria, Burkina Faso, Burundi, Cambodia, Cameroon,
        Canada, Chad, Chile, China, Colombia, Congo=the Congo, Costa Rica, Croatia, Cuba, Cyprus,
        Czech Republic=the Czech Republic=Czechia, Denmark, Djibouti, Dominica,
        Dominican Republic=the Dominican Republic, Ecuador, Egypt, El Salvador, England, Eritrea, Estonia,
        Eswatini=Swaziland, Ethiopia, Fiji, Finland, France, Gabon, Gambia=the Gambia, Georgia, Germany, Ghana, Greece,
        Grenada, Guatemala, Guinea, Guyana, Haiti, Honduras, Hungary, Iceland, India, Indonesia, Iran, Iraq, Ireland,
        Israel, Italy, Ivory Coast=the Ivory Coast, Jamaica, Japan, Jordan, Kazakhstan, Kenya, Kuwait, Kyrgyzstan, Laos,
        Latvia, Lebanon, Lesotho, Liberia, Libya, Liechtenstein, Lithuania, Luxembourg, Madagascar, Malawi, Malaysia,
        Maldives=the Maldives, Mali, Malta, Mauritania, Mauritius, Mexico, Moldova, Monaco, Mongolia, Montenegro,
        Morocco, Mozambique, Myanmar=Burma, Namibia, Nepal, Netherlands=the Netherlands=Holland, New Zealand, Nicaragua,
        Niger, Nigeria, North Korea, North Macedonia, Norway, Oman, Pakistan, Panama, Papua New Guinea, Paraguay, Peru,
        Philippines=the Philippines, Poland, Portugal, Qatar, Romania, Russia, Rwanda, Samoa, San Marino, Saudi Arabia,
        Scotland, Senegal, Serbia, Seychelles, Sierra Leone, Singapore, Slovakia, Slovenia, Somalia, South Africa,
        South Korea=Korea, South Sudan, Spain, Sri Lanka, Sudan, Suriname, Sweden, Switzerland, Syria, Taiwan,
        Tajikistan, Tanzania, Thailand, Togo, Tonga, Tunisia, Turkey, Turkmenistan, Uganda, Ukraine,
        United Arab Emirates=the United Arab Emirates=UAE, United Kingdom=the United Kingdom=UK=the UK,
        United States=the United States=USA=the USA=United States of America, Uruguay, Uzbekistan, Vanuatu, Venezuela,
        Vietnam, Wales, Yemen, Zambia, Zimbabwe"""),
    "vegetable": Category("a vegetable", "thing", """
        carrot, broccoli, spinach, kale, lettuce, cabbage, cauliflower, potato=potatoes, onion, garlic,
        pepper=bell pepper=peppers, cucumber, tomato=tomatoes, zucchini=courgette, eggplant=aubergine, celery,
        asparagus, pea, bean, green bean, corn=sweet corn, beet=beetroot=beets, radish, turnip, parsnip, pumpkin,
        squash, leek, artichoke, okra, yam, sweet potato=sweet potatoes, mushroom, chard=Swiss chard, arugula=rocket,
        Brussels sprout=Brussels sprouts, ginger, fennel, kohlrabi, rutabaga=swede, scallion=spring onion, shallot,
        watercress, lentil, avocado, rhubarb, endive, bok choy, collard greens, chickpea, chicory, daikon, cassava,
        butternut squash, snow pea, chive, horseradish, taro, bamboo shoot, sprout"""),
    "sport": Category("a sport", "stuff", """
        football, soccer, basketball, baseball, tennis, golf, hockey=field hockey, ice hockey, volleyball, rugby,
        cricket, swimming, running, boxing, wrestling, cycling, skiing, snowboarding, skating=ice skating, surfing,
        badminton, gymnastics, karate, judo, archery, fencing, rowing, sailing, softball, lacrosse, bowling, handball,
        squash, polo, climbing=rock climbing, skateboarding, diving, triathlon, marathon,
        athletics=track and field=track, weightlifting, curling, taekwondo, racing, hiking, billiards, darts, kayaking,
        canoeing, table tennis=ping pong, racquetball, chess, fishing, equestrian=horse riding, sumo, kickboxing,
        jogging, walking, yoga, water polo, figure skating, speed skating, snooker, netball, bobsleigh, biathlon,
        decathlon, pentathlon, javelin, beach volleyball, American football, horse racing, motor racing, hurling,
        paragliding, windsurfing, wakeboarding, bodybuilding"""),
    "instrument": Category("a musical instrument", "thing", """
        piano, guitar, violin, drum, drums, flute, trumpet, saxophone=sax, clarinet, cello, harp, trombone, tuba, oboe,
        bassoon, viola, banjo, ukulele, harmonica, accordion, organ, xylophone, bass=bass guitar, double bass, mandolin,
        lute, sitar, bagpipe=bagpipes, keyboard, recorder, piccolo, tambourine, marimba, cymbal, triangle, lyre, fiddle,
        synthesizer, harpsichord, bongo, horn, French horn, cornet, euphonium, bugle, timpani, didgeridoo, theremin,
        zither, koto, erhu, tabla, djembe, glockenspiel, castanets, pan flute=panpipe, dulcimer, electric guitar,
        acoustic guitar, vibraphone, maracas, gong, kazoo, ocarina, snare drum, bass drum, English horn, flugelhorn,
        shamisen"""),
    "profession": Category("a profession", "thing", """
        doctor, teacher, engineer, lawyer, nurse, artist, chef, writer, scientist, actor, musician, pilot, dentist,
        architect, accountant, plumber, electrician, carpenter, mechanic, farmer, police officer=policeman, firefighter,
        soldier, journalist, photographer, designer, programmer, developer=software developer, software engineer,
        manager, librarian, psychologist, pharmacist, veterinarian=vet, judge, economist, historian, biologist, chemist,
        physicist, astronaut, baker, barber, butcher, tailor, waiter=waitress, singer, dancer, director, editor, author,
        translator, professor, researcher, therapist, surgeon, paramedic, secretary, salesman=salesperson, banker,
        entrepreneur, consultant, analyst, mathematician, philosopher, painter, sculptor, poet, novelist, coach,
        politician, detective, gardener, fisherman, miner, welder, hairdresser, astronomer, geologist, physician,
        radiologist, cardiologist, pediatrician, psychiatrist, statistician, marketer, realtor, attorney, linguist,
        archaeologist, cook, cashier, receptionist, butler, sailor, cleaner, driver, bus driver, truck driver,
        flight attendant, graphic designer, web developer, social worker, optometrist, physical therapist, midwife,
        notary, jeweler, blacksmith, reporter, bartender, ecologist, sociologist, anthropologist, data scientist,
        civil engineer, mechanical engineer"""),
    "city": Category("a city", "name", """
        London, Paris, Rome, Berlin, Madrid, Tokyo, Beijing, Shanghai, Mumbai=Bombay, Delhi=New Delhi, Moscow, Sydney,
        Melbourne, Toronto, Montreal, Vancouver, Chicago, Boston, Seattle, Houston, Dallas, Miami, Atlanta, Denver,
        Phoenix, Philadelphia, Detroit, Austin, Portland, Barcelona, Lisbon, Amsterdam, Brussels, Vienna, Prague,
        Budapest, Warsaw, Athens, Dublin, Edinburgh, Glasgow, Manchester, Stockholm, Oslo, Copenhagen, Helsinki,
        Istanbul, Cairo, Lagos, Nairobi, Johannesburg, Dubai, Jerusalem, Bangkok, Singapore, Jakarta, Manila, Seoul,
        Osaka, Kyoto, Taipei, Kolkata=Calcutta, Chennai, Bangalore, Karachi, Lahore, Dhaka, Tehran, Baghdad, Riyadh,
        Lima, Bogota, Santiago, Milan, Venice, Florence, Naples, Munich, Hamburg, Frankfurt, Cologne, Zurich, Geneva,
        Lyon, Marseille, Nice, New York=New York City, Los Angeles, San Francisco, San Diego,
        Washington=Washington D.C., Las Vegas, New Orleans, Brisbane, Perth, Auckland, Wellington, Accra, Havana,
        Caracas, Quito, Oxford, Cambridge, Liverpool, Bristol, Nashville, Cleveland, Minneapolis, Baltimore, Sacramento,
        Oakland, Honolulu, Hanoi, Casablanca, Marrakech, Tunis, Rio de Janeiro, Sao Paulo, Buenos Aires, Mexico City,
        Hong Kong, Cape Town, San Antonio, San Jose, Saint Petersburg, Kuala Lumpur, Ho Chi Minh City=Saigon,
        Salt Lake City, Charlotte, Columbus, Indianapolis, Pittsburgh, Birmingham, Leeds, Seville, Valencia, Porto,
        Kiev=Kyiv, Bucharest, Sofia, Belgrade, Zagreb, Krakow, Antwerp, Rotterdam"""),
    "metal": Category("a metal", "stuff", """
        iron, gold, silver, copper, aluminum=aluminium, zinc, lead, tin, nickel, titanium, platinum,
        steel=stainless steel, bronze, brass, mercury, chromium=chrome, cobalt, tungsten, uranium, lithium, sodium,
        potassium, magnesium, calcium, manganese, palladium, rhodium, iridium, cadmium, beryllium, vanadium, molybdenum,
        bismuth, gallium, barium, tantalum, niobium, zirconium, osmium, ruthenium, thorium, plutonium, indium, cesium,
        strontium, antimony, rubidium, scandium, yttrium, radium, hafnium, rhenium, thallium, polonium, lanthanum,
        cerium, neodymium, pewter"""),
    "flower": Category("a flower", "thing", """
        rose, tulip, daisy, lily, sunflower, orchid, daffodil, carnation, lavender, iris, peony, marigold, violet,
        pansy, chrysanthemum, hibiscus, jasmine, lotus, magnolia, poppy, hyacinth, dahlia, begonia, petunia, geranium,
        zinnia, azalea, camellia, gardenia, lilac, snapdragon, crocus, dandelion, buttercup, bluebell, anemone, aster,
        hydrangea, freesia, gladiolus, primrose, foxglove, honeysuckle, wisteria, forget-me-not, cherry blossom,
        bougainvillea, ranunculus, gerbera, cosmos, lupine, columbine, snowdrop, heather, water lily, morning glory,
        lily of the valley, bird of paradise, black-eyed Susan, sweet pea, cornflower, delphinium, edelweiss, red rose,
        impatiens"""),
    "furniture": Category("a piece of furniture", "thing", """
        chair, table, sofa, couch, bed, desk, dresser, bookshelf=bookshelves, bookcase, cabinet, wardrobe, stool, bench,
        armchair, ottoman, nightstand, shelf=shelves=a shelf, cupboard, recliner, drawer, loveseat, futon, hammock,
        crib, mattress, lamp, hutch, sideboard, chest=chest of drawers, rack, closet, mirror, rug, chaise, divan,
        settee, credenza, coffee table, dining table, cot, bunk bed, vanity, buffet, console, rocking chair, end table,
        bedside table, side table, sofa bed, filing cabinet, bean bag, coat rack, footstool, headboard, pew, high chair,
        armoire, dining chair, office chair, night table, TV stand"""),
    "bird": Category("a bird", "thing", """
        eagle, sparrow, robin, hawk, owl, crow, pigeon, parrot, penguin, ostrich, peacock, swan, duck,
        goose=geese=a goose, chicken, turkey, dove, falcon, hummingbird, woodpecker, flamingo, pelican, seagull=gull,
        raven, cardinal, blue jay=bluejay, canary, finch, goldfinch, magpie, starling, swallow, swift, thrush,
        blackbird, bluebird, wren, warbler, nightingale, lark, heron, egret, crane, stork, kingfisher, albatross,
        puffin, toucan, macaw, cockatoo, parakeet, budgie, emu, kiwi, vulture, condor, osprey, kestrel, kite, buzzard,
        quail, pheasant, partridge, grouse, cuckoo, jay, mockingbird, oriole, chickadee, nuthatch, loon, cormorant,
        ibis, sandpiper, plover, tern, hen, rooster, bald eagle, golden eagle, barn owl, snowy owl, roadrunner,
        cassowary, kookaburra, myna, titmouse"""),
    "fish": Category("a fish", "thing", """
        salmon=a salmon, tuna=a tuna, trout=a trout, cod=a cod, bass=a bass, carp=a carp, catfish=a catfish,
        goldfish=a goldfish, shark, herring, mackerel, sardine, anchovy, halibut, haddock, flounder, sole, tilapia,
        perch, pike, eel, swordfish, marlin, barracuda, grouper, snapper=red snapper, sturgeon, clownfish, angelfish,
        pufferfish, piranha, stingray, ray, seahorse, guppy, betta, minnow, mullet, pollock, walleye, bluegill, sunfish,
        monkfish, turbot, hake, sea bass=seabass, mahi-mahi, rainbow trout, koi, tetra, gar, smelt, whitefish, lamprey,
        manta ray, great white shark, whale shark, lionfish, parrotfish, tarpon, bonito, plaice, roach, tench, dogfish,
        zebrafish"""),
    "insect": Category("an insect", "thing", """
        ant, bee, butterfly, beetle, fly, mosquito=mosquitoes, wasp, moth, grasshopper, cricket, dragonfly,
        ladybug=ladybird, cockroach, termite, flea, louse=lice=a louse, aphid, cicada, praying mantis=mantis, hornet,
        bumblebee, firefly, locust, earwig, gnat, midge, weevil, caterpillar, damselfly, lacewing, mayfly, stick insect,
        water strider, bedbug=bed bug, stinkbug=stink bug, katydid, silverfish, thrips, housefly=house fly, horsefly,
        honeybee=honey bee, fruit fly, scarab, dung beetle, stag beetle, leafhopper, sawfly, yellowjacket, tsetse fly,
        bug, caddisfly, cutworm, hoverfly, crane fly, monarch butterfly=monarch, springtail, whitefly, planthopper,
        maggot, carpenter bee"""),
    "tree": Category("a tree", "thing", """
        oak=oak tree, pine=pine tree, maple=maple tree, birch=birch tree, willow=willow tree, cedar=cedar tree, spruce,
        fir, elm, ash, beech, palm=palm tree, redwood, sequoia, cypress, poplar, aspen, hickory, walnut, chestnut,
        sycamore, magnolia, dogwood, cherry=cherry tree, apple=apple tree, pear, plum, peach, olive=olive tree, fig,
        orange=orange tree, lemon, lime, mango=mango tree, coconut, banana, bamboo, eucalyptus, acacia, baobab, banyan,
        teak, mahogany, ebony, juniper, yew, larch, hemlock, hawthorn, hazel, holly, alder, linden, laurel, mulberry,
        ginkgo, hornbeam, rowan, cottonwood, tamarack, balsam, rubber tree, avocado, almond, pecan, locust, jacaranda,
        Douglas fir, weeping willow, white oak, red oak, sugar maple, red maple, sandalwood, tulip tree"""),
    "element": Category("a chemical element", "stuff", """
        hydrogen, helium, lithium, beryllium, boron, carbon, nitrogen, oxygen, fluorine, neon, sodium, magnesium,
        aluminum=aluminium, silicon, phosphorus, sulfur=sulphur, chlorine, argon, potassium, calcium, scandium,
        titanium, vanadium, chromium, manganese, iron, cobalt, nickel, copper, zinc, gallium, germanium, arsenic,
        selenium, bromine, krypton, rubidium, strontium, yttrium, zirconium, niobium, molybdenum, technetium, ruthenium,
        rhodium, palladium, silver, cadmium, indium, tin, antimony, tellurium, iodine, xenon, cesium=caesium, barium,
        lanthanum, cerium, praseodymium, neodymium, promethium, samarium, europium, gadolinium, terbium, dysprosium,
        holmium, erbium, thulium, ytterbium, lutetium, hafnium, tantalum, tungsten, rhenium, osmium, iridium, platinum,
        gold, mercury, thallium, lead, bismuth, polonium, astatine, radon, francium, radium, actinium, thorium,
        protactinium, uranium, neptunium, plutonium, americium, curium, berkelium, californium, einsteinium,
        fermium"""),
    "capital": Category("a capital city", "name", """
        London, Paris, Rome, Berlin, Madrid, Tokyo, Beijing, New Delhi=Delhi, Moscow, Canberra, Ottawa,
        Washington D.C.=Washington=Washington DC, Lisbon, Amsterdam, Brussels, Vienna, Prague, Budapest, Warsaw, Athens,
        Dublin, Edinburgh, Cardiff, Belfast, Stockholm, Oslo, Copenhagen, Helsinki, Reykjavik, Ankara, Cairo, Abuja,
        Nairobi, Pretoria, Cape Town, Abu Dhabi, Jerusalem, Bangkok, Singapore, Jakarta, Manila, Seoul, Pyongyang,
        Taipei, Islamabad, Dhaka, Tehran, Baghdad, Riyadh, Lima, Bogota, Santiago, Bern, Mexico City, Brasilia,
        Buenos Aires, Wellington, Accra, Havana, Caracas, Quito, Hanoi, Rabat, Tunis, Algiers, Tripoli, Khartoum,
        Addis Ababa, Kampala, Kigali, Dakar, Bamako, Luanda, Harare, Lusaka, Maputo, Windhoek, Gaborone, Damascus,
        Beirut, Amman, Kuwait City, Doha, Muscat, Manama, Kabul, Kathmandu, Colombo, Kuala Lumpur, Phnom Penh,
        Vientiane, Ulaanbaatar, Astana, Tashkent, Baku, Tbilisi, Yerevan, Kiev=Kyiv, Minsk, Bucharest, Sofia, Belgrade,
        Zagreb, Ljubljana, Bratislava, Sarajevo, Skopje, Tirana, Riga, Vilnius, Tallinn, Valletta, Nicosia, Luxembourg,
        Monaco, Montevideo, Asuncion, La Paz, Panama City, San Jose, Managua, Guatemala City, San Salvador, Tegucigalpa,
        Kingston, Port-au-Prince, Santo Domingo, Nassau, Bridgetown, Port of Spain, Georgetown, Paramaribo, Suva,
        Port Moresby, Dodoma, Antananarivo, Freetown"""),
    "spice": Category("an herb or spice", "stuff", """
        salt, pepper=black pepper, cinnamon, ginger, turmeric, cumin, coriander, cardamom, nutmeg, clove=cloves,
        paprika, saffron, garlic=garlic powder, onion powder, basil, oregano, thyme, rosemary, parsley, sage, mint,
        dill, cilantro, bay leaf=bay leaves, chives, tarragon, marjoram, fennel, fenugreek, anise=star anise, allspice,
        mustard=mustard seed, chili=chili powder=chilli, cayenne=cayenne pepper, vanilla, lavender, lemongrass,
        curry=curry powder, mace, sumac, caraway, juniper, horseradish, wasabi, peppermint, spearmint, chamomile,
        white pepper, pink pepper, celery seed, poppy seed, sesame=sesame seed, savory, chervil, lemon balm, sorrel,
        garam masala, za'atar, licorice"""),
    "drink": Category("a drink", "stuff", """
        water, coffee, tea, milk, juice=fruit juice, orange juice, apple juice, lemonade, soda, cola, Coke=Coca-Cola,
        Pepsi, beer, wine, red wine, white wine, whiskey=whisky, vodka, rum, gin, tequila, brandy, champagne, cider,
        cocktail, martini, margarita, mojito, smoothie, milkshake, hot chocolate, cocoa, iced tea, green tea, black tea,
        herbal tea, espresso, cappuccino, latte, mocha, ginger ale, root beer, tonic water, sparkling water,
        mineral water, coconut water, tomato juice, grape juice, cranberry juice, pineapple juice, sake, mead, port,
        sherry, bourbon, scotch, cognac, absinthe, punch, eggnog, kombucha, kefir, lassi, chai, matcha, energy drink,
        Sprite, Fanta, bloody Mary, pina colada, daiquiri, cosmopolitan, sangria, lager, ale, stout, buttermilk,
        soy milk, almond milk"""),
    "language": Category("a language", "name", """
        English, Spanish, French, German, Italian, Portuguese, Russian, Chinese, Mandarin=Mandarin Chinese, Cantonese,
        Japanese, Korean, Arabic, Hindi, Bengali, Punjabi, Urdu, Tamil, Telugu, Marathi, Gujarati, Kannada, Malayalam,
        Turkish, Persian=Farsi, Hebrew, Greek, Latin, Sanskrit, Polish, Czech, Slovak, Hungarian, Romanian, Bulgarian,
        Serbian, Croatian, Bosnian, Slovenian, Macedonian, Albanian, Ukrainian, Belarusian, Lithuanian, Latvian,
        Estonian, Finnish, Swedish, Norwegian, Danish, Icelandic, Dutch, Flemish, Afrikaans, Irish, Gaelic, Welsh,
        Scottish Gaelic, Basque, Catalan, Galician, Breton, Maltese, Yiddish, Swahili, Zulu, Xhosa, Yoruba, Igbo, Hausa,
        Amharic, Somali, Vietnamese, Thai, Lao, Khmer, Burmese, Malay, Indonesian, Tagalog=Filipino, Javanese, Nepali,
        Sinhala, Tibetan, Mongolian, Kazakh, Uzbek, Armenian, Georgian, Azerbaijani, Kurdish, Pashto, Hawaiian, Maori,
        Samoan, Navajo, Cherokee, Quechua, Guarani, Nahuatl, Esperanto, Haitian Creole, Luxembourgish, Aramaic"""),
    "vehicle": Category("a vehicle", "thing", """
        car, truck, bus, van, motorcycle=motorbike, bicycle=bike, train, tram, boat, ship, airplane=plane=aeroplane,
        helicopter, taxi, scooter, tractor, ambulance, fire truck=fire engine, police car, limousine=limo, jeep, SUV,
        sedan, minivan, pickup truck=pickup, lorry, trailer, caravan, subway, submarine, yacht, ferry, canoe, kayak,
        rocket, spaceship=spacecraft, tank, bulldozer, forklift, golf cart, skateboard, sled, snowmobile, moped,
        tricycle, cart, carriage, wagon, trolley, hovercraft, jet, glider, hot air balloon, hatchback, coupe,
        convertible, sports car, race car, school bus, motorhome=RV, camper, rickshaw, sailboat, speedboat,
        garbage truck, crane, quad bike, unicycle, automobile, jet ski, segway, station wagon, electric car,
        dump truck"""),
    "clothing": Category("an item of clothing", "thing", """
        shirt, pants=trousers, dress, skirt, jacket, coat, sweater, hat, cap, scarf=scarves=a scarf, glove, sock, shoe,
        boot, jeans=a pair of jeans, shorts=a pair of shorts, T-shirt=t-shirt=tshirt, blouse, suit, tie, belt, vest,
        hoodie, cardigan, pajamas, robe, swimsuit, bikini, bra, underwear, panties, boxers, leggings, tights, stockings,
        sandal, sneaker, slipper, heel=high heels, raincoat, overcoat, blazer, tuxedo, gown, kimono, sari, poncho, cape,
        cloak, apron, uniform, jumpsuit, overalls, tank top, polo shirt, turtleneck, bow tie, mitten, beanie, beret,
        bonnet, tunic, kilt, top, sweatshirt, jumper, pullover, windbreaker, parka, bathrobe, nightgown, lingerie,
        corset, turban, shawl"""),
    "fabric": Category("a fabric", "stuff", """
        cotton, wool, silk, linen, polyester, nylon, denim, leather, velvet, satin, lace, suede, corduroy, flannel,
        fleece, cashmere, canvas, chiffon, tweed, rayon, spandex=lycra, acrylic, felt, burlap, hemp, jersey, taffeta,
        tulle, organza, muslin, gingham, mohair, angora, viscose, brocade, damask, calico, chenille, gabardine,
        georgette, jacquard, khaki, terry cloth=terrycloth, twill, velour, poplin, seersucker, batiste, crepe, elastane,
        modal, bamboo, jute, plaid, chambray, microfiber, oxford, percale, sateen, voile, vinyl"""),
    "body part": Category("a part of the body", "thing", """
        head, arm, leg, hand, foot=feet=a foot, eye, ear, nose, mouth, finger, toe, knee, elbow, shoulder, neck, back,
        chest, stomach, heart, brain, lung, liver, kidney, skin, hair, tooth=teeth=a tooth, tongue, lip, chin, cheek,
        forehead, eyebrow, eyelash, wrist, ankle, hip, thigh, calf=calves, heel, palm, thumb, nail=fingernail, bone,
        muscle, blood, vein, artery, nerve, spine, rib, skull, jaw, throat, belly, waist, pelvis, pancreas, spleen,
        bladder, intestine, gallbladder, colon, face, scalp, shin, sole, navel=belly button, armpit, breast, buttock,
        groin, knuckle, eyelid, pupil, retina, iris, cornea, eardrum, femur, tibia, biceps, abdomen, torso, forearm,
        esophagus, trachea, uterus"""),
    "gemstone": Category("a gemstone", "thing", """
        diamond, ruby, emerald, sapphire, amethyst, topaz, opal, pearl, garnet, turquoise, jade, aquamarine, peridot,
        citrine, onyx, quartz, moonstone, tourmaline, lapis lazuli=lapis, zircon, agate, amber, jasper, malachite,
        tanzanite, alexandrite, obsidian, coral, spinel, beryl, carnelian, bloodstone, sunstone, hematite, labradorite,
        rose quartz, tiger's eye=tiger eye=tiger's-eye, smoky quartz, chalcedony, chrysoberyl, jet, kunzite, morganite,
        rhodonite, sodalite, iolite, fluorite, azurite, pyrite, larimar, rhodochrosite, chrysoprase, crystal, sardonyx,
        cat's eye, heliodor, jadeite, nephrite, black opal, fire opal, white opal, blue topaz, star sapphire"""),
    "tool": Category("a tool", "thing", """
        hammer, screwdriver, wrench, pliers=a pair of pliers, saw, drill, chisel, axe=ax, shovel, rake, hoe, spade,
        knife=knives=a knife, scissors=a pair of scissors, tape measure=measuring tape, level, file, clamp, vise,
        mallet, crowbar, hacksaw, chainsaw, sander, sandpaper, plane, ruler, square, awl, pickaxe, sledgehammer,
        nail gun, staple gun, socket wrench, Allen wrench=hex key, soldering iron, wire cutter, utility knife, trowel,
        wheelbarrow, ladder, lathe, router, jigsaw, circular saw, band saw, table saw, hand saw=handsaw, spanner,
        paintbrush, brush, putty knife, caliper, compass, multimeter, torch, welder, grinder, bolt cutter, pitchfork,
        sickle, scythe, machete, plunger, pruning shears, lawn mower, wedge, rasp, anvil, glue gun, power drill,
        flashlight, screw, nail, tweezers, hatchet"""),
    "utensil": Category("a kitchen utensil", "thing", """
        spoon, fork, knife=knives=a knife, spatula, whisk, ladle, tongs, peeler=vegetable peeler, grater, colander,
        strainer, sieve, rolling pin, measuring cup, measuring spoon, can opener, bottle opener, corkscrew,
        cutting board=chopping board, mixing bowl, bowl, plate, cup, mug, glass, pan=frying pan, pot, saucepan, skillet,
        wok, baking sheet, baking pan, muffin tin, cake pan, kettle, teapot, blender, mixer, toaster, oven mitt, timer,
        thermometer, scale, mortar=mortar and pestle, pestle, garlic press, pizza cutter, ice cream scoop,
        basting brush, turkey baster, potato masher=masher, slotted spoon, wooden spoon, chopsticks, funnel, zester,
        juicer, cleaver, butter knife, bread knife, chef's knife, paring knife, teaspoon, tablespoon, nutcracker,
        pastry brush, salad spinner, skewer, scissors, tray, scoop, food processor, microplane, mandoline, salt shaker,
        pepper mill, cookie cutter, dough scraper, spork, rice cooker"""),
    "dance": Category("a dance", "stuff", """
        waltz=the waltz, tango=the tango, salsa, ballet, foxtrot=the foxtrot, samba, rumba, cha-cha=cha cha, swing,
        jive, polka, flamenco, hip hop=hip-hop, jazz, tap=tap dance, breakdance=breakdancing, disco,
        ballroom=ballroom dance, belly dance, bachata, merengue, mambo, quickstep, paso doble, lindy hop,
        charleston=the Charleston, jitterbug, line dance, square dance, folk dance, contemporary=contemporary dance,
        modern=modern dance, twist=the twist, macarena=the Macarena, moonwalk, bharatanatyam, kathak, odissi, kathakali,
        bhangra, garba, hula, limbo, capoeira, can-can, bolero, zumba, krump, popping, locking, voguing, twerking,
        reggaeton, kizomba, zouk, conga, minuet, mazurka, jig, reel, clogging, robot, pole dance, street dance, lambada,
        rock and roll, two-step, kuchipudi, break dance, Irish dance"""),
    "cheese": Category("a cheese", "stuff", """
        cheddar=cheddar cheese, mozzarella=mozzarella cheese, parmesan=parmesan cheese, Swiss=Swiss cheese, gouda, brie,
        feta=feta cheese, blue cheese=blue, goat cheese, cream cheese, cottage cheese, ricotta, provolone, camembert,
        gruyere=gruyère, edam, colby, monterey jack, pepper jack, roquefort, gorgonzola, stilton, asiago, havarti,
        manchego, pecorino=pecorino romano, romano, mascarpone, halloumi, emmental=emmentaler, muenster, limburger,
        jarlsberg, fontina, paneer, queso fresco, american=American cheese, string cheese, burrata, boursin, taleggio,
        wensleydale, red leicester, comte, raclette, neufchatel, cotija, oaxaca, velveeta, double gloucester,
        caerphilly, lancashire, cheshire, port salut, chevre, quark, reblochon, munster, grana padano, cheese curds,
        caciocavallo, stracchino, tilsit, sheep cheese"""),
    "dog breed": Category("a dog breed", "thing", """
        Labrador=Labrador retriever=Lab, golden retriever, German shepherd, bulldog, poodle, beagle, Rottweiler,
        Yorkshire terrier=Yorkie, boxer, dachshund, Siberian husky=husky, Great Dane, Doberman=Doberman pinscher,
        Shih Tzu, Chihuahua, Pomeranian, border collie, collie, corgi=Pembroke Welsh corgi, Australian shepherd,
        cocker spaniel, French bulldog, English bulldog, pug, Maltese, Boston terrier, Bernese mountain dog, mastiff,
        Saint Bernard=St. Bernard, Dalmatian, greyhound, whippet, bloodhound, basset hound, Akita, Shiba Inu, Chow Chow,
        Samoyed, Newfoundland, pit bull=pitbull, Jack Russell terrier=Jack Russell, bull terrier, fox terrier,
        Scottish terrier, West Highland white terrier=Westie, Airedale terrier, Bichon Frise, Havanese, papillon,
        Pekingese, schnauzer, miniature schnauzer, weimaraner, vizsla, pointer, Irish setter, English setter,
        springer spaniel, spaniel, terrier, retriever, hound, setter, Alaskan malamute=malamute, Great Pyrenees,
        Rhodesian ridgeback, Irish wolfhound, Afghan hound, sheepdog, Australian cattle dog, cane corso, Lhasa Apso,
        miniature pinscher, cavalier King Charles spaniel, Cairn terrier, Basenji, borzoi, saluki, Old English sheepdog,
        Staffordshire bull terrier, toy poodle, foxhound, coonhound, labradoodle"""),
    "state": Category("a state of the USA", "name", """
        Alabama, Alaska, Arizona, Arkansas, California, Colorado, Connecticut, Delaware, Florida, Georgia, Hawaii,
        Idaho, Illinois, Indiana, Iowa, Kansas, Kentucky, Louisiana, Maine, Maryland, Massachusetts, Michigan,
        Minnesota, Mississippi, Missouri, Montana, Nebraska, Nevada, New Hampshire, New Jersey, New Mexico, New York,
        North Carolina, North Dakota, Ohio, Oklahoma, Oregon, Pennsylvania, Rhode Island, South Carolina, South Dakota,
        Tennessee, Texas, Utah, Vermont, Virginia, Washington, West Virginia, Wisconsin, Wyoming"""),
    "game": Category("a board game or card game", "stuff", """
        chess, checkers=draughts, Monopoly, Scrabble, poker, bridge, backgammon, go, Risk, Clue=Cluedo, Uno, solitaire,
        rummy=gin rummy, blackjack, hearts, spades, canasta, cribbage, dominoes, mahjong, Othello=reversi,
        Connect Four=Connect 4, Battleship, Catan=Settlers of Catan, Pandemic, Ticket to Ride, Carcassonne, Candy Land,
        Chutes and Ladders=Snakes and Ladders, The Game of Life=Life=Game of Life, Trivial Pursuit, Pictionary, Boggle,
        Stratego, Yahtzee, Jenga, Taboo, Operation, Sorry=Sorry!, Parcheesi=ludo, Go Fish, Old Maid, war, crazy eights,
        snap, euchre, whist, pinochle, baccarat, Magic: The Gathering=Magic, Dominion, Codenames, Dixit,
        Axis and Allies, Chinese checkers, mancala, tic-tac-toe, bingo, Twister, Mastermind, Guess Who=Guess Who?,
        Trouble, Mouse Trap, Set, Texas Hold'em=Texas hold 'em, shogi, xiangqi, nine men's morris, speed, President,
        slapjack, Rummikub, Azul, Agricola, Apples to Apples, Cards Against Humanity"""),
    "toy": Category("a toy", "thing", """
        doll, ball, car=toy car, teddy bear, puzzle=jigsaw puzzle, kite, yo-yo=yoyo, Lego=LEGO=Legos,
        block=building block=blocks, robot, train=toy train, truck=toy truck, top=spinning top, Barbie=Barbie doll,
        action figure, dollhouse, slinky, frisbee, marble, jump rope=skipping rope, hula hoop, rocking horse,
        Rubik's cube, stuffed animal, plush toy, puppet, toy soldier, train set, airplane=toy airplane, boat=toy boat,
        water gun, Nerf gun, Play-Doh=playdough, crayon, balloon, bubble=bubbles, drum, xylophone, rattle, pinwheel,
        scooter, tricycle, bicycle=bike, skateboard, trampoline, sandbox, swing, board game, video game,
        remote control car, dinosaur, unicorn, tea set, jack-in-the-box, Mr. Potato Head, Etch A Sketch, Hot Wheels,
        whistle, boomerang, slingshot, dice, domino=dominoes, fidget spinner, bear, bat, racket, kaleidoscope,
        pogo stick, sword, wagon, helicopter, spaceship, drone, music box, slime"""),
    "emotion": Category("an emotion", "stuff", """
        happiness=happy, sadness=sad, anger=angry, fear, joy, love, hate=hatred, surprise, disgust, excitement=excited,
        anxiety=anxious, jealousy, envy, guilt, shame, pride, hope, despair, grief, loneliness=lonely, boredom,
        contentment, gratitude, compassion, empathy, sympathy, relief, frustration, confusion, disappointment,
        embarrassment, curiosity, awe, wonder, trust, anticipation, nostalgia, regret, remorse, rage, fury, irritation,
        annoyance, terror, horror, panic, worry, stress, delight, bliss, ecstasy, euphoria, amusement, admiration,
        affection, passion, lust, longing, melancholy, sorrow, misery, depression, contempt, resentment, bitterness,
        calm=calmness, serenity, peace, satisfaction, enthusiasm, optimism, pessimism, shock, humiliation, nervousness,
        tenderness, pity, insecurity, courage, elation, indifference, apathy"""),
    "subject": Category("a school subject", "stuff", """
        math=mathematics=maths, science, history, English, geography, art, music, physical education=PE=gym, biology,
        chemistry, physics, literature, computer science, economics, algebra, geometry, calculus, statistics,
        trigonometry, social studies, civics, government, philosophy, psychology, sociology, Spanish, French, German,
        Latin, Chinese, drama=theater, dance, health, home economics, religion=religious studies, ethics, astronomy,
        geology, earth science, environmental science, world history, American history=US history, political science,
        anthropology, reading, writing, spelling, grammar, foreign language, language arts, business=business studies,
        accounting, law, engineering, technology, information technology, woodworking, photography, journalism,
        agriculture, creative writing, public speaking, arithmetic, Japanese"""),
    "dessert": Category("a dessert", "thing", """
        cake, ice cream, pie, cookie, brownie, cheesecake, chocolate cake, apple pie, pudding, tiramisu,
        creme brulee=crème brûlée, cupcake, donut=doughnut, tart, mousse=chocolate mousse, sorbet, gelato, custard,
        flan, eclair, macaron, macaroon, muffin, fudge, candy, chocolate, truffle, pastry, baklava, cannoli,
        panna cotta, trifle, cobbler, crumble, crisp=apple crisp, souffle, parfait, sundae, milkshake, popsicle,
        jello=jelly, rice pudding, bread pudding, banana split, pumpkin pie, cherry pie, pecan pie, key lime pie,
        lemon meringue pie, carrot cake, red velvet cake, sponge cake, pound cake, angel food cake,
        strawberry shortcake=shortcake, gingerbread, meringue, marshmallow, churro, crepe, waffle, pancake, strudel,
        gulab jamun, mochi, fruit salad, profiterole, scone, toffee, frozen yogurt, chocolate chip cookie,
        peach cobbler, banana bread, pavlova, blancmange, lemon tart, halva, nougat, turnover, cinnamon roll, blondie,
        fruitcake"""),
    "genre": Category("a genre of music", "stuff", """
        rock=rock music, pop=pop music, jazz, blues=the blues, classical=classical music, country=country music,
        hip hop=hip-hop, rap, R&B=rhythm and blues, soul, funk, disco, reggae, ska, punk=punk rock, metal=heavy metal,
        folk=folk music, electronic=electronic music, techno, house, trance, dubstep, drum and bass, ambient, gospel,
        opera, latin=Latin music, salsa, samba, bossa nova, flamenco, bluegrass, grunge, indie=indie rock,
        alternative=alternative rock, hard rock, soft rock, progressive rock, psychedelic rock, new wave,
        synth-pop=synthpop, K-pop, J-pop, EDM, swing, bebop, ragtime, big band, baroque, romantic, instrumental,
        world music, new age, reggaeton, dancehall, afrobeat, trap, industrial, emo, gothic rock, hardcore, death metal,
        black metal, thrash metal, rockabilly, rock and roll=rock 'n' roll, easy listening, dance=dance music, acoustic,
        a cappella, chamber music, symphony, tango, polka, zydeco, mariachi, garage, grime, lo-fi"""),
    "building": Category("a type of building", "thing", """
        house, apartment=apartment building, school, hospital, church, library, office=office building, hotel, museum,
        theater=theatre, skyscraper, castle, palace, temple, mosque, synagogue, cathedral, barn, garage, factory,
        warehouse, store, shop, mall=shopping mall, supermarket, restaurant, cafe, bank, post office, police station,
        fire station, train station, airport, stadium, gym, university, college, prison=jail, courthouse, city hall,
        tower, lighthouse, windmill, mill, shed, cottage, cabin, mansion, villa, bungalow, townhouse, condominium=condo,
        duplex, hut, igloo, tent, pyramid, fort=fortress, monastery, chapel, abbey, embassy, cinema=movie theater,
        arena, greenhouse, farmhouse, hangar, inn, motel, pub, bakery, clinic, pharmacy, laboratory, observatory,
        penthouse, residential building, commercial building, dormitory=dorm, kiosk, pavilion, pagoda, shrine,
        log cabin, parking garage, nursing home, concert hall, art gallery=gallery, parliament"""),
    "currency": Category("a currency", "stuff", """
        dollar=US dollar=the dollar=the US dollar, euro=the euro, pound=British pound=pound sterling, yen=Japanese yen,
        yuan=Chinese yuan=renminbi, rupee=Indian rupee, franc=Swiss franc, peso=Mexican peso,
        ruble=Russian ruble=rouble, won=South Korean won, real=Brazilian real, rand=South African rand,
        lira=Turkish lira, krona=Swedish krona, krone=Norwegian krone, Danish krone, zloty=Polish zloty, forint,
        koruna=Czech koruna, dinar, dirham, riyal, rial, shekel, baht=Thai baht, ringgit, rupiah, dong, kyat, kip, riel,
        tugrik, tenge, som, manat, lari, dram, hryvnia, leu, lev, kuna, naira, cedi, shilling=Kenyan shilling, birr,
        kwacha, pula, metical, kwanza, ariary, sol, boliviano, bolivar, guarani, quetzal, lempira, cordoba, colon,
        balboa, gourde, taka, afghani, bitcoin, Canadian dollar, Australian dollar, New Zealand dollar,
        Hong Kong dollar, Singapore dollar, mark=Deutsche Mark, drachma, lek, denar, Egyptian pound, Philippine peso,
        taler, ethereum"""),
}  # fmt: skip
"""The categories by name; see `fluency` for their splits."""
