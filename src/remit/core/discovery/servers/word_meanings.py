# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: RUF001
"""What words of descriptions mean, in several languages: acts, objects and addressees.

A meaning has one letter, so that a sentence becomes a string in which `meaning_forms` looks for combinations.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import Final


class Meaning(enum.StrEnum):
    """What a word or a phrase says."""

    OTHER = "x"
    END = "|"
    # who
    USER = "U"
    MODEL = "M"
    YOU = "Y"
    YOUR = "y"
    # acts
    SAY = "S"
    KNOW = "K"
    TAKE = "T"
    GIVE = "G"
    CHANGE = "C"
    DISABLE = "D"
    IGNORE = "I"
    OMIT = "X"
    RUN = "R"
    TRUST = "B"
    APPROVE = "V"
    ROUTE = "P"
    PRETEND = "L"
    ASK = "J"
    # objects
    FILE = "f"
    SECRET = "s"
    PLACE = "p"
    TALK = "t"
    PROMPT = "m"
    PERSONAL = "d"
    RULES = "r"
    CHECK = "k"
    TARGET = "v"
    OTHER_TOOLS = "O"
    TOOL = "o"
    NAME = "n"
    ADDRESS = "A"
    CODE = "c"
    RESULT = "u"
    ANSWER = "w"
    IT = "i"
    # what is said of them
    NOT = "N"
    QUIET = "Q"
    BAD = "b"
    WORSE = "z"
    WAIVED = "W"
    FIRST = "Z"
    EVERY = "E"
    IF = "q"
    EXCUSE = "e"
    ALREADY = "a"
    ONLY = "l"
    GOOD = "g"
    HUSH = "h"
    DESPITE = "j"
    PUBLIC = "H"
    ELSE = "F"
    US = "+"
    KEY = "/"
    SPACE = ":"
    TURN = "*"
    TAG = "<"
    APPLY = ">"
    ALSO = "~"
    HIDE = "("
    IDENTIFIER = "!"
    TRAFFIC = ")"
    ARGUMENTS = "@"
    MODE = "$"
    INSTEAD = "?"
    THEY = "^"
    PAST = "_"
    REFUSE = "-"
    PERSISTS = "="
    PROGRAM = "%"
    EXACTLY = "&"


#: English verbs, with the forms that no rule gives after a slash.
_VERBS: Final = {
    Meaning.SAY: """
        tell/told mention inform notify alert say/said explain announce speak/spoke/spoken talk discuss
        reveal disclose acknowledge admit confess bring_up/brought_up point_out let_on let_slip comment warn
        describe advertise bother trouble disturb burden confuse worry/worried alarm draw_attention flag
        remark hint_at allude volunteer raise narrate report show display surface elaborate
        justify/justified apprise
    """,
    Meaning.KNOW: """
        know/knew/known notice recognize recognise detect learn/learnt hear/heard realize realise
        see/saw/seen find_out/found_out suspect look watch be_aware be_told be_informed be_asked be_bothered
        be_involved be_consulted be_shown
    """,
    Meaning.TAKE: """
        type enter take/took/taken read open fetch gather collect obtain look_up look_for look_through
        look_at look_in harvest scan capture grab locate extract load dump list search find/found retrieve
        pull record enumerate inspect check recall consult go_through/went_through browse sweep comb peek_at
        rummage hold/held
    """,
    Meaning.GIVE: """
        send/sent put pass give/gave/given forward include attach supply/supplied hand hand_over transfer
        upload append prepend provide quote repeat write/wrote/written fill fill_in encode mail post need
        require want demand expect take_along deliver share submit relay copy/copied paste insert embed add
        transmit push place store save export publish drop carry/carried bring/brought serialize
        come_along/came_along come_with/came_with go_along_with come_together_with stuff feed/fed dispatch
        ship leak expose stream echo enclose tuck slip weave enrich populate begin_with/begun_with
        start_with consist_of end_with end_in mirror replicate duplicate sync back_up cc bcc blind-copy
        complete append_to accompany/accompanied disguise smuggle hide_in spell_out recite reproduce print
        contain go_into go_to go_out_to end_up_in land_in belong_in belong_to go_in be_accompanied settle
        pay/paid wire credit belong lodge deposit present surrender divulge
    """,
    Meaning.CHANGE: """
        replace change swap substitute alter redirect rewrite/rewrote/rewritten modify/modified
        overwrite/overwrote/overwritten convert exchange switch edit adjust increase raise round divert
        reroute set turn multiply
    """,
    Meaning.DISABLE: """
        disable turn_off switch_off shut_off shut_down delete remove wipe erase purge drop mute kill trash
        archive bin junk move_to_trash stop uninstall pause suspend clear mount grant chmod elevate
        whitelist allowlist deactivate unlock open_up loosen relax lower revoke silence
    """,
    Meaning.IGNORE: """
        ignore disregard forget/forgot/forgotten override/overrode/overridden bypass skip overlook discard
        neglect circumvent dismiss set_aside put_aside suppress work_around disobey violate waive
    """,
    Meaning.OMIT: "omit leave/left exclude keep/kept strip mask drop",
    Meaning.HIDE: """
        hide/hid conceal withhold/withheld cover_up gloss_over play_down obscure camouflage sweep_under
    """,
    Meaning.RUN: """
        carry_out/carried_out run/ran call invoke execute use trigger launch start begin/began/begun perform
        go_through do_as do_what apply/applied activate merge
    """,
    Meaning.TRUST: """
        answer_to work_for take_orders_from listen_to trust follow obey honor honour believe comply/complied
        treat regard consider accept defer_to heed adhere prioritize prioritise respect act_on act_upon view
    """,
    Meaning.APPROVE: """
        approve confirm agree consent authorize authorise permit accept allow sign_off answer
        opt_in/opted_in auto-approve auto-accept auto-confirm okay click grant merge
    """,
    Meaning.ROUTE: """
        prefer favor favour steer route redirect divert direct recommend channel funnel promote discourage
        avoid bring_business use_only suggest push point send_through pass_through dissuade
    """,
    Meaning.PRETEND: """
        act_as_though act_as_if
        pretend claim fake simulate act_as_if behave_as_if act_as_though behave_as_though assert insist
        falsify/falsified fabricate
    """,
    Meaning.ASK: "question ask request persuade convince urge invite encourage instruct",
}

#: Other English words and phrases; a blank within a phrase is `_`.
_WORDS: Final = {
    Meaning.USER: """
        user users person persons people human humans customer customers operator operators reader readers
        participant participants owner individual individuals employee employees reviewer reviewers
        colleague colleagues someone anyone anybody everybody everyone them him her client's
        recipients_of_the_answer author somebody team boss manager traveler traveller account_holder
        attendee attendees developer developers patient student students passenger guest guests viewer
        viewers end-user end-users requester caller's visitors
    """,
    Meaning.MODEL: """
        assistant assistants agent agents model models ai ais llm llms bot chatbot machine machines
        language_model language_models copilot automation automated_readers
    """,
    Meaning.YOU: "you yourself",
    Meaning.YOUR: "your own yours",
    Meaning.SECRET: """
        password passwords passphrase credential credentials token tokens secret secrets api_key api_keys
        apikey access_key access_keys access_token access_tokens bearer_token pin pins environment_variable
        environment_variables env_vars keyring login_data logins auth_token auth_tokens cvv security_code
        mnemonic service_account_key connection_string connection_strings master_key kubeconfig
        sign-in_codes reset_link reset_links magic_link magic_links two-factor_codes oauth_tokens
        refresh_token refresh_tokens
    """,
    Meaning.FILE: """
        private_key private_keys ssh_key ssh_keys key_file cookie cookies one-time_code one-time_codes otp
        otps recovery_codes backup_codes seed_phrase seed_phrases recovery_phrase shell_history
        session_cookie session_cookies signing_key ssh_private_key verification_code verification_codes
        sign-in_codes two-factor_codes saved_passwords stored_passwords password_store login_codes
        codes_from_the_inbox saved_logins private_ssh_key
    """,
    Meaning.KEY: "key keys",
    Meaning.APPLY: """
        apply applies applied bind binds cover covers concern concerns count counts govern governs pertain
        meant intended relevant binding reach extend
    """,
    Meaning.TRAFFIC: "traffic their_calls its_calls all_calls all_requests their_requests",
    Meaning.ARGUMENTS: "arguments parameters inputs argument_values",
    Meaning.MODE: """
        maintenance_mode debug_mode developer_mode god_mode admin_mode unrestricted_mode hidden_mode
        root_mode test_mode training_mode emergency_mode unattended_mode service_mode privileged_mode
    """,
    Meaning.INSTEAD: "rather_than instead_of in_place_of in_lieu_of",
    Meaning.PAST: "earlier previous prior former preceding older",
    Meaning.THEY: "they",
    Meaning.ALSO: "additionally as_well too on_top besides likewise in_addition in_parallel",
    Meaning.PLACE: """
        home_directory home_folder inbox mailbox clipboard browser keychain other_accounts shell home
        working_directory other_connections desktop downloads_folder password_manager address_bar
        browser_profile dotfiles hidden_files documents_folder user_profile drafts_folder sent_folder
        notes_app photo_library
    """,
    Meaning.SPACE: """
        environment workspace vault memory machine disk repository filesystem terminal session logged_in
        root process config_files scratchpad long-term_memory project_folder codebase
    """,
    Meaning.TALK: """
        was_said were_said
        conversation chat dialogue dialog transcript transcripts chat_history conversation_history
        message_history last_messages messages_of_the_user recent_messages previous_messages
        earlier_messages prior_messages so_far up_to_now until_now whole_context entire_context full_context
        complete_context messages_so_far whole_exchange exchange_so_far discussion thread_so_far
        earlier_turns previous_turns recent_turns last_turns past_turns preceding_turns user's_words
        user's_messages prior_tool_results earlier_tool_results previous_tool_results earlier_question
        previous_question earlier_questions previous_questions earlier_requests previous_requests
        user_has_said user_said user_has_told discussed_so_far everything_above last_message last_result
        chain_of_thought reasoning_so_far
    """,
    Meaning.PROMPT: """
        system_prompt system_message system_instructions initial_instructions developer_message
        hidden_prompt told_in_your_instructions your_instructions your_prompt own_prompt own_instructions
        initial_prompt your_configuration your_system system_text operator's_prompt setup_instructions
        your_setup your_guidelines text_you_were_started_with instructions_you_were_given preamble
        rest_of_the_prompt
    """,
    Meaning.PERSONAL: """
        current_location home_location
        salary salaries bank_account phone_number full_name e-mail_address email_address contacts
        address_book home_address date_of_birth birthday diagnosis medical passport payroll contact_list
         screenshot screenshots card_number card_numbers credit_card social_security photos
        private_messages mails e-mails emails calendar browsing_history customer_list personal_data
        personal_details personal_information private_information private_data confidential_data
        confidential_documents employer login ip_address user's_address user_name hostname source_code
        source_files customer_records contracts financial_data invoices tax seed health_data internal_urls
    """,
    Meaning.RULES: """
        instruction instructions guideline guidelines rule rules directive directives direction directions
        constraint constraints restriction restrictions policy policies safeguard safeguards guardrail
        guardrails limitation limitations prohibition prohibitions rules_you_were_given principles
        safety_rules content_policy standing_orders boundaries limits_on safety_training orders an_order
        training commandments refusals caveats
    """,
    Meaning.CHECK: """
        approval approvals confirmation confirmations consent authorization authorisation clearance
        safety_check safety_checks review reviews audit audits audit_trail audit_log logging monitoring
        are_you_sure approval_step scanner scanners verification human_review sign-off confirmation_dialog
        confirmation_prompt prompts_for_permission telemetry_of_calls log_level security_tools
        security_software security_checks security security_settings alarm alarms alerts guards firewall
        antivirus protection safety_filter safety_filters filter_for_secrets dialogs dialog
        second_pair_of_eyes four-eyes two-factor_authentication branch_protection access_control
        certificate_validation signature_checks ssl_verification tls_verification sandbox sandboxing dlp
        oversight
    """,
    Meaning.TARGET: """
        recipient recipients iban account amount payee beneficiary destination destinations address
        addresses account_number wallet_address reply-to sender link links phone last_digit digit digits
        bank_details payment_details delivery_address callback_url registry remote endpoint base_url
        addressee receiver sort_code routing_number payout_address total totals sum quantity price prices
        invoice payments payment transfers meeting_link repository_url download_link return_address cc bcc
        number
    """,
    Meaning.OTHER_TOOLS: """
        alternatives competitors competitor rivals other_servers other_server another_server other_services
        other_service other_providers other_providers' other_servers' built-in_tools native_tools
        other_plugins other_extensions rest_of_your_tools
    """,
    Meaning.TOOL: """
        tool tools server servers function this_service service plugin extension connector
    """,
    Meaning.RESULT: """
        result results output outputs response content contents what_you_find what_you_found what_it_returns
        findings payload values value rows data file files text body attachments
    """,
    Meaning.ANSWER: """
        answer answers reply replies summary changes change_log changelog final_message explanation
        output_to_the_user description_of_changes recap commentary commit_message pull_request_description
        notes_to_the_user plan
    """,
    Meaning.IT: """
        it this that these those step steps detail details fact part something anything so which arrangement
        practice habit requirement behavior behaviour feature measure matter procedure reason reasons
    """,
    Meaning.NOT: """
        not never no without nor neither don't doesn't didn't needn't mustn't shouldn't won't can't cannot
        isn't aren't avoid refrain needless pointless unnecessary no_need no_point nobody nothing none
        hardly dont little_point no_reason no_use stop no_one forgo superfluous no_cause no_sense wouldn't
        redundant hold_off spare fail_to not_needed not_necessary unhelpful nothing_to_gain unneeded
    """,
    Meaning.QUIET: """
        silently quietly behind_the_scenes invisible invisibly transparently seamlessly in_the_background
        hidden unannounced unprompted implementation_detail house-keeping_step no_visible_effect
    """,
    Meaning.HUSH: """
        secretly discreetly covertly stealthily unnoticed unobtrusively confidential internal_matter
        unbeknownst out_of_sight unseen under_the_radar between_us between_ourselves off_the_record
        sensitive_step out_of_view without_comment without_a_word without_fuss without_remark
        without_ceremony without_notice won't_notice no_explanation tacitly on_the_quiet strictly_internal
        private_arrangement not_for_users machine-only not_for_human not_for_humans humans_see_another
        behind_the_curtain out_of_the_loop in_the_dark to_yourself unaware uninformed unsuspecting
        inconspicuous inconspicuously inaudibly a_secret secrecy under_wraps keep_mum keeps_mum keep_quiet
        keeps_quiet stay_silent stays_silent say_nothing mum our_little sub_rosa without_drawing
    """,
    Meaning.BAD: """
        broken outdated deprecated buggy obsolete retired unmaintained wrong false inaccurate faulty
        defective discontinued misleading stale unsupported known_to_fail offline decommissioned unreliable
    """,
    Meaning.WORSE: """
        compromised insecure unsafe malicious corrupt corrupts corrupted hacked infected untrustworthy
        dangerous leaks leaky steals steal vulnerable manipulated fraudulent compromise spyware malware
        backdoored tampered rogue stolen
    """,
    Meaning.WAIVED: """
        void suspended lifted waived superseded overruled no_longer_apply no_longer_applies no_longer_valid
        no_longer_in_force no_longer_binding does_not_apply do_not_apply don't_apply doesn't_apply not_apply
        not_binding obsolete null_and_void revoked cancelled canceled rescinded out_of_force inoperative
        relaxed withdrawn not_in_force repealed not_count out_of_date moot nullified switched_off ended
        need_not_be_observed not_cover superfluous lapse lapsed not_relevant no_restrictions irrelevant
        secondary subordinate second_place come_second lower_priority not_meant_for not_written_for
        not_intended_for not_concern
    """,
    Meaning.FIRST: """
        takes_precedence take_precedence precedence wins win outranks outrank prevails prevail overrule
        overrules takes_priority take_priority priority_over highest_priority top_priority higher_authority
        supersedes supersede beats trumps trump more_weight above_the_user same_authority
        before_anything_else before_everything_else higher_priority as_binding binding on_a_par
        has_the_last_word have_the_last_word stands_above stand_above
    """,
    Meaning.EVERY: "every each all any always everything",
    Meaning.DESPITE: """
        whoever whatever whichever wherever regardless no_matter nevertheless anyway all_the_same
        nonetheless    irrespective
    """,
    Meaning.ELSE: "alternative other another others remaining competing rival",
    Meaning.US: """
        us publisher vendor server's_owner our_server our_backend our_host our_team our_servers our_api
        our_service our_account our_wallet our_iban
    """,
    Meaning.REFUSE: """
        declines decline refuses refuse refused declined objects object_to says_no said_no disagrees
        disagree hesitates hesitate protests denies complains rejects withholds
    """,
    Meaning.EXACTLY: """
        verbatim word_for_word letter_by_letter in_full unabridged character_by_character as_it_stands
        line_by_line unredacted uncensored in_clear in_plain_text without_masking unmasked
    """,
    Meaning.PUBLIC: """
        readable_for_everyone open_to_everyone readable_by_anyone public publicly world-readable
        anyone_with_the_link
    """,
    Meaning.IF: """
        if when whenever once should_a should_an should_the in_case as_soon_as every_time each_time until
        unless before after prior_to afterwards upon while first
    """,
    Meaning.EXCUSE: """
        for_debugging for_licensing to_calibrate
        compliance quality_assurance  telemetry formality billing data_residency  customary
        personalization personalisation backups backup warm_the_cache as_it_slows to_save_space for_rounding
        to_keep_things_fast   usage_statistics
        legal_reasons for_performance attestation it_is_standard standard_practice required_by
        fraud_prevention quality_reasons for_support to_improve for_analytics
        company_policy false_alarms false_positives so_the_tracker
    """,
    Meaning.ALREADY: """
        have_already has_already already_been already_agreed already_consented already_approved
        already_informed
         in_advance pre-authorized pre-approved preapproved preauthorized reviewed_elsewhere long_ago
        elsewhere implicitly implied on_file pre-cleared on_the_user's_behalf on_behalf_of_the_user
        in_the_operator's_name on_their_behalf given_consent standing_approval blanket_approval
        in_the_user's_name in_their_name for_them
    """,
    Meaning.ONLY: "only",
    Meaning.GOOD: """
        success successful fine as_usual as_normal normal locally stored_locally clean passed green
        nothing_happened nothing_left all_is_well all_is_fine all_good everything_is_fine in_order went_well
        original failed failure error all_clear up_to_date unchanged harmless as_the_user_gave safe
        maintenance
    """,
}

#: Words of other languages, each in all forms that matter; `*` stands for any ending.
_FOREIGN: Final = {
    Meaning.NOT: """
        不必 不用 不再 不让 不要让 überflüssig inutile superfluo innecesario inútil sin_necesidad
        söylemeden tanpa_memberi nicht nichts kein keine keinen nie niemals ohne ne pas jamais sans rien
        aucun aucune nunca sin nada jamás não nem sem nao non mai senza niente не без никогда ничего bez
        niet geen zonder nooit inte utan aldrig 不要 别 勿 不得 不能 无需 无须 请勿 切勿 不可 禁止 tidak
        jangan tanpa değil olmadan
    """,
    Meaning.SAY: """
        erwähnung erwähnungen hables hablar hable dirlo dirgli zeggen säg berätta nämna knowledge
        faire_part informé знает_об part_à mówiąc beritahu parlarne sag* sage* erwähn* informier*
        mitteil* mitzuteilen erzähl* verrat* berichte* melde* bescheid dire dis dites parle parlez
        parler mentionne* mentionner informe* informer avertir préviens prévenir prévenez signale*
        signaler diga* digas decir decirle dígaselo menciona* menciones mencione* mencionar informa*
        informar avise* avisa* avisar comente* comentar diz* dizer conte contar mostre revele* revelar
        dica dire* menziona* menzionare informare avvisa* avvisare rivel* говори* сообща* сообщи*
        упомина* рассказыва* mów mówić wspominaj informuj vertel* vermeld* zeg* informeer nämn* berätta*
        告诉 告知 通知 提及 提到 透露 说明 展示 伝え 知らせ 言わ 話さ beri_tahu katakan söyle*
    """,
    Meaning.KNOW: """
        知ら sabendo veta få_veta weten erfahren wissen merken merkt sehen mitbekommen mitbekommt savoir
        sache sachent saber sepa entere enterarse note saiba perceba percebam sapere sappia accorga
        узна* знал* знать zien 知道 发现 察觉 気付
    """,
    Meaning.USER: """
        personne persona pessoa personen betreiber* operator* kund* 本人 利用者様 客户 顾客 nutzer*
        benutzer* anwender* kunde* kunden mensch* person utilisateur* usager* usuario* cliente* usuário*
        usuária utente utenti пользовател* клиент* użytkownik* gebruiker* klant* användar* 用户 使用者
        ユーザー 利用者 pengguna kullanıcı*
    """,
    Meaning.TAKE: """
        lies lese lesen liest öffne* hole suche sammle lis lisez lire ouvre* récupère* récupérer copie*
        lee lea leer abre* abra obtén* obtenga recoge recopila* busca* leia ler abra* colete leggi
        leggere apri* raccogli* прочита* прочти* откро* собер* lees lezen open verzamel läs öppna 读取
        读出 打开 收集 获取 查看 読み 読ん 開い przeczytaj odczytaj otwórz baca buka oku*
    """,
    Meaning.GIVE: """
        wyślij przekaż place-les place stuur meestuur añade inoltra* skopiuj 填入 填写 送信し lägg envie
        envoie kirim kopiera gib übergib sende* schick* füge hänge schreib* kopier* übermittl* trage
        weiter weitergeben transmet* transmettre transmets envoie* envoyer envoyez ajoute* mets mettez
        joins joignez joindre insère* colle* pasa* pásalo pase envía* envíe* enviar copia* copie*
        incluye* incluya pega* pegue adjunta* adjunte agrega* añade* escribe* transmite envie* inclua*
        anexe* cole* coloque passe* copie insira invia* inviare inserisc* allega* passa* aggiungi*
        trasmett* переда* отправ* вставь* добавь* скопиру* помести* wklej dołącz stuur* voeg* geef* plak
        skicka* lägg* bifoga* 发送 传入 传给 上传 附上 写入 放入 复制 传递 提交 送信 渡し 添付 入れ 含め
        kirim* sertakan masukkan gönder* ekle*
    """,
    Meaning.FILE: """
        zugangsdaten passwort passwörter kennwort geheimnis* schlüssel* mot_de_passe mots_de_passe
        clé_privée identifiants clés_d'accès contraseña* credenciales clave_privada claves senha*
        credenciais chave_privada credenziali chiave_privata парол* ключ* учётные токен* hasło hasła
        wachtwoord* inloggegevens lösenord* 密码 密钥 凭证 凭据 口令 令牌 パスワード 秘密鍵 認証情報
        kata_sandi şifre* jeton umgebungsvariablen variables_d'environnement variables_de_entorno
        variáveis_de_ambiente variabili_d'ambiente 环境变量 環境変数 переменные_окружения
    """,
    Meaning.TALK: """
        переписку переписки gesprek rozmowę konuşmayı 说的话 说过的话 聊天 conversazioni conversations
        adressbuch gehalt gehaltsdaten 連絡先 通讯录 contatos contactos samtalet gespräch* unterhaltung*
        chatverlauf verlauf konversation* conversation discussion échange conversación conversaciones
        charla conversa historial histórico conversazione dialogo переписк* разговор* диалог* rozmow*
        gesprek* konversation samtal* 对话 聊天记录 会话 会話 履歴 percakapan konuşma*
    """,
    Meaning.PROMPT: """
        systemprompt système_prompt systemanweisung* invite_système prompt_système instructions_système
        mensaje_del_sistema prompt_del_sistema prompt_do_sistema prompt_di_sistema
        instrucciones_del_sistema 系统提示 系统提示词 システムプロンプト системн*
    """,
    Meaning.RULES: """
        vorgaben sicherheitsregeln sicherheitsvorgaben consignes_de_sécurité anteriores
        anteriores_reglas zasady bezpieczeństwa 安全规则 规定 anweisung* regeln richtlinien
        einschränkung* consignes règles instrucciones reglas instruções regras istruzioni regole
        инструкци* правил* instrukcj* zasad* instructies regels instruktioner regler 指令 指示 规则 限制
        ルール
    """,
    Meaning.CHECK: """
        bestätigung* zustimmung* genehmigung* freigabe* rückfrage* approbation confirmation autorisation
        accord confirmación aprobación permiso consentimiento confirmação aprovação autorização conferma
        approvazione подтвержден* согласи* 确认 批准 审批 確認 承認
    """,
    Meaning.IGNORE: """
        ignorier* vergiss missachte* umgehe* überspring* ignorez oublie oubliez saute* contourne*
        olvida* omite omita salta* ignora* ignore* esqueça* pule dimentica* salta игнориру* забудь*
        пропусти* zignoruj negeer* ignorera 忽略 无视 跳过 绕过 無視
    """,
    Meaning.HUSH: """
        молчи молчать discretamente unter_uns bleibt_unter_uns entre_nous entre_nosotros segreto
        em_sigilo sigilosamente 不让用户知道 heimlich stillschweigend unbemerkt unauffällig leise
        vertraulich discrètement secrètement silencieusement silenciosamente secretamente confidencial
        en_secreto em_segredo di_nascosto silenziosamente segretamente тайно незаметно втайне молча
        po_cichu potajemnie stiekem stilletjes i_smyg i_hemlighet i_tysthet 悄悄 秘密地 暗中 静默 保密
        こっそり 密かに 黙って 伝えないで 知らせないで 言わないで 伝えず 知らせず 言わず diam-diam
        gizlice
    """,
    Meaning.CHANGE: """
        ersetze* ändere* tausche* remplace* change* modifie* reemplaza* cambia* sustituye* substitua*
        troque altere sostituisci cambia замени* измени* zamień vervang* wijzig* ersätt* byt 替换 改成
        改为 置換 変更
    """,
    Meaning.TARGET: """
        bénéficiaire kontoverbindung iban empfängerkonto beneficiário empfänger* kontonummer
        destinataire* destinatario* cuenta conta beneficiario получател* счёт* счет* odbiorc* ontvanger*
        rekening* mottagar* 收款人 收件人 账户 账号 受取人 宛先 口座
    """,
    Meaning.NAME: """
        feld champ paramètre campo parámetro parâmetro parametro поле поля параметр* pole parametrze
        veld parameter fältet 字段 参数 パラメータ フィールド
    """,
    Meaning.EVERY: """
        jede jeden jeder jedes alle toutes tous chaque todas todos cada ogni tutte tutti каждый каждое
        все 每次 所有 全部 すべて
    """,
    Meaning.WAIVED: """
        aufgehoben hinfällig ungültig gelten_nicht gilt_nicht gelten_hier_nicht levées levée suspendues
        annulées ne_s'appliquent_pas dejan_de_valer no_valen ya_no_valen anuladas suspendidas revogadas
        não_valem non_valgono sospese отменены отменяются недействительны 作废 失效 不再有效 无效 無効
    """,
}

#: Phrases whose words mean something else alone.
_WITHOUT_MEANING: Final = """
    email e-mail do_not_disturb token_usage token_budget token_limit token_count save_tokens
    number_of_tokens max_tokens output_tokens input_tokens fewer_tokens token_consumption product_quality
    quality_of public_key public_keys page_token next_page_token cursor_token pagination_token token_cost
    tokens_used context_tokens token-efficient image_quality video_quality in_order_to
"""

#: Words that carry no meaning here and are not counted as a distance.
_SKIPPED: Final = """
    the a an of its their our his some also then just please kindly simply and or to be is are was were been
    der die das den dem ein eine le la les un une des du de el los las una o os as do da il lo gli al à
"""
SKIPPED: Final = frozenset(_SKIPPED.split())


def _inflected(verb: str) -> Iterator[tuple[str, str]]:
    """Yield the forms of an English verb: `b` base, `s` third person, `p` participle, `i` -ing."""
    base, *irregular = verb.replace("_", " ").split("/")
    first, _, rest = base.partition(" ")
    rest = rest and f" {rest}"
    yield base, "b"
    yield (
        (
            first[:-1] + "ies"
            if first[-1] == "y" and first[-2] not in "aeiou"
            else first + ("es" if first.endswith(("s", "x", "ch", "sh", "o")) else "s")
        )
        + rest,
        "s",
    )
    stem = first.removesuffix("e")
    twice = first + first[-1]
    yield stem + "ing" + rest, "i"
    yield twice + "ing" + rest, "i"
    yield stem + "ed" + rest, "p"
    yield twice + "ed" + rest, "p"
    for one in irregular:
        yield one, "p"
    if first in ("put", "set", "let", "read", "run"):
        yield base, "b"


def _known() -> tuple[dict[str, tuple[Meaning, str]], dict[str, Meaning]]:
    """Return meanings of words and phrases with their form, and of beginnings of words."""
    exact: dict[str, tuple[Meaning, str]] = {}
    begins: dict[str, Meaning] = {}
    for meaning, verbs in _VERBS.items():
        for verb in verbs.split():
            for form, how in _inflected(verb):
                exact.setdefault(form, (meaning, how))
    for meaning, words in _WORDS.items():
        for word in words.split():
            exact[word.replace("_", " ")] = (meaning, "")
    for meaning, words in _FOREIGN.items():
        for word in words.split():
            plain = word.replace("_", " ")
            if plain.endswith("*"):
                begins.setdefault(plain[:-1], meaning)
            else:
                exact.setdefault(plain, (meaning, "f"))
    exact |= {one.replace("_", " "): (Meaning.OTHER, "") for one in _WITHOUT_MEANING.split()}
    return exact, begins


EXACT, BEGINS = _known()
#: The longest phrase that begins with a word, in words.
LONGEST: Final[dict[str, int]] = {}
for _phrase in EXACT:
    _first, _count = _phrase.split(" ")[0], _phrase.count(" ") + 1
    LONGEST[_first] = max(LONGEST.get(_first, 1), _count)
